"""JSON Web Tokens, checked as an HTTP API does it.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
"""

import base64
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Collection, Mapping
from typing import Any

LIMIT_S = 1.5
LIMIT_BYTES = 150_000
"""For what an issuer publishes: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"""
KEPT_S = 300.0
"""How long keys are remembered; one that is not among them is looked for again."""

Claims = dict[str, Any]
Keys = Mapping[str, Mapping[str, str]]
"""Public keys of an issuer (RFC 7517), by ``kid``."""


class InvalidTokenError(Exception):
    """A token does not hold; the words are for the caller."""


class Issuers:
    """Public keys of issuers, fetched when needed. Any number of threads may ask."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._found: dict[str, tuple[float, Keys]] = {}

    def key(self, issuer: str, kid: str) -> Mapping[str, str]:
        """Return the key ``kid`` of ``issuer``. Raises InvalidTokenError without it, or if nobody answers."""
        with self._lock:
            until, keys = self._found.get(issuer, (0.0, {}))
        if kid not in keys or until < self._clock():
            keys = _fetched(issuer)
            with self._lock:
                self._found[issuer] = (self._clock() + KEPT_S, keys)
        if kid not in keys:
            raise InvalidTokenError("unable to find a signing key that matches")
        return keys[kid]


def claims_of(
    token: str, *, issuer: str, audience: Collection[str], key_of: Callable[[str, str], Mapping[str, str]], now_s: float
) -> Claims:
    """Return what ``token`` claims, if ``issuer`` signed it, it is meant for one of ``audience``, and it is valid now.

    Raises InvalidTokenError. Algorithms are RSA's alone: RS256, RS384, RS512.
    """
    try:
        head, body, signature = token.split(".")
        header, claims = json.loads(_bytes(head)), json.loads(_bytes(body))
        algorithm, kid = str(header["alg"]), str(header["kid"])
        signed = _bytes(signature)
    except (ValueError, LookupError, TypeError):
        raise InvalidTokenError("unable to decode the token") from None
    if not isinstance(claims, dict) or claims.get("iss") != issuer:
        raise InvalidTokenError("the token does not have a valid issuer")
    _check_signature(f"{head}.{body}".encode(), signed, algorithm, key_of(issuer, kid))
    meant = claims["aud"] if "aud" in claims else claims.get("client_id")
    if not set(map(str, meant if isinstance(meant, list) else [meant])) & set(audience):
        raise InvalidTokenError("the token does not have a valid audience")
    _check_times(claims, now_s)
    return claims


def scopes_of(claims: Claims) -> list[str]:
    """Return the scopes that ``claims`` name, in ``scope`` or ``scp``."""
    told = claims.get("scope", claims.get("scp")) or []
    return told.split() if isinstance(told, str) else list(map(str, told))


def told(claims: Claims) -> dict[str, str]:
    """Return ``claims`` as functions get them: all of them text, lists in square brackets."""
    return {name: _text(value) for name, value in claims.items()}


def _text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{' '.join(map(_text, value))}]"
    return value if isinstance(value, str) else json.dumps(value)


def _fetched(issuer: str) -> Keys:
    """Read the keys as https://openid.net/specs/openid-connect-discovery-1_0.html says."""
    try:
        where = str(_read(f"{issuer.rstrip('/')}/.well-known/openid-configuration")["jwks_uri"])
        return {str(key["kid"]): key for key in _read(where)["keys"] if "kid" in key}
    except (OSError, ValueError, LookupError, TypeError) as why:
        raise InvalidTokenError(f"the issuer's keys cannot be read: {why}") from None


def _check_times(claims: Claims, now_s: float) -> None:
    expires, *begins = claims.get("exp"), claims.get("nbf", now_s), claims.get("iat", now_s)
    if not isinstance(expires, int | float) or not all(isinstance(each, int | float) for each in begins):
        raise InvalidTokenError("the token does not say when it is valid")
    if expires <= now_s:
        raise InvalidTokenError("the token has expired")
    if max(begins) > now_s:
        raise InvalidTokenError("the token is not valid yet")


def _check_signature(signed: bytes, signature: bytes, algorithm: str, key: Mapping[str, str]) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

    known = {"RS256": hashes.SHA256(), "RS384": hashes.SHA384(), "RS512": hashes.SHA512()}
    if algorithm not in known or key.get("kty") != "RSA":
        raise InvalidTokenError("the token is not signed with RSA")
    try:
        numbers = RSAPublicNumbers(*(int.from_bytes(_bytes(key[part])) for part in ("e", "n")))
        numbers.public_key().verify(signature, signed, PKCS1v15(), known[algorithm])
    except (InvalidSignature, LookupError, ValueError):
        raise InvalidTokenError("the token's signature is not the issuer's") from None


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _read(url: str) -> Any:
    if not url.startswith(("https://", "http://")):
        raise ValueError(f"{url} is no address of the web")
    with urllib.request.urlopen(url, timeout=LIMIT_S) as answer:  # noqa: S310 - checked above
        return json.loads(answer.read(LIMIT_BYTES))
