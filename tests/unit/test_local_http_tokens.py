"""Which tokens hold."""

import base64
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from build.local.web.tokens import InvalidTokenError, Issuers, claims_of, scopes_of, told

ISSUER = "https://issuer.example.invalid"
CLAIMS = {"iss": ISSUER, "aud": "shop", "exp": 2000, "sub": "ada"}


@cache
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def coded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def public(_issuer: str = "", _kid: str = "") -> Mapping[str, str]:
    numbers = key().public_key().public_numbers()
    return {"kty": "RSA", "n": coded(numbers.n.to_bytes(256)), "e": coded(numbers.e.to_bytes(3))}


def token(head: Mapping[str, Any] | None = None, **claims: Any) -> str:
    whole = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    parts = ({"alg": "RS256", "kid": "1", **(head or {})}, whole)
    signed = ".".join(coded(json.dumps(part).encode()) for part in parts)
    return f"{signed}.{coded(key().sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def checked(text: str) -> dict[str, Any]:
    return claims_of(text, issuer=ISSUER, audience=["shop", "till"], key_of=public, now_s=1000)


def test_a_token_of_the_issuer_for_us_holds():
    assert checked(token())["sub"] == "ada"
    assert checked(token(aud=["other", "till"]))
    assert checked(token(aud=None, client_id="shop"))
    assert checked(token(nbf=999, iat=999))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "decode"),
        ("a.b", "decode"),
        ("a.b.c", "decode"),
        (token(iss="https://other.example.invalid"), "issuer"),
        (token(aud="other"), "audience"),
        (token(aud="other", client_id="shop"), "audience"),
        (token(aud=None), "audience"),
        (token(exp=999), "expired"),
        (token(exp=None), "when it is valid"),
        (token(exp="2000"), "when it is valid"),
        (token(nbf=1001), "not valid yet"),
        (token(iat=1001), "not valid yet"),
        (token({"alg": "HS256"}), "RSA"),
        (token({"alg": "none"}), "RSA"),
        (token({"alg": "RS512"}), "signature"),
        (token()[:-8] + "AAAAAAAA", "signature"),
    ],
)
def test_other_tokens_do_not_and_the_caller_hears_why(text, why):
    with pytest.raises(InvalidTokenError, match=why):
        checked(text)


def test_scopes_are_words_or_a_list():
    assert scopes_of({"scope": "read write"}) == ["read", "write"]
    assert scopes_of({"scp": ["read"]}) == ["read"]
    assert scopes_of({}) == []


def test_functions_get_every_claim_as_text():
    assert told({"a": "x", "n": 1, "t": True, "l": ["a", 2]}) == {"a": "x", "n": "1", "t": "true", "l": "[a 2]"}


@pytest.mark.parametrize("issuer", ["http://127.0.0.1:9", "file:///etc/passwd", "no address"])
def test_an_issuer_that_does_not_answer_vouches_for_nobody(issuer):
    with pytest.raises(InvalidTokenError, match="cannot be read"):
        Issuers().key(issuer, "1")
