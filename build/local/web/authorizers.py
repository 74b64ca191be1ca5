"""Who may call a route of an HTTP API: bearers of tokens, those whom a function lets in, those who sign.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-access-control.html
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from build.local.variables import ACCESS_KEY_ID, SECRET_ACCESS_KEY
from build.local.web.answers import HttpAnswer, message
from build.local.web.callers import Callers, Failure
from build.local.web.events import Grant, Place, authorizer_event_v1, authorizer_event_v2, context_v1
from build.local.web.requests import HttpRequest
from build.local.web.signatures import signer_of
from build.local.web.tokens import InvalidTokenError, Issuers, claims_of, scopes_of, told

LIMIT_S = 10.0
"""For the function that decides: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"""

FORBIDDEN = message(403, "Forbidden")
UNAUTHORIZED = message(401, "Unauthorized")
ERROR = message(500, "Internal Server Error")


class Authorizers:
    """Decides about requests, and remembers what functions decided. Any number of threads may ask."""

    def __init__(self, callers: Callers, clock: Callable[[], float] = time.monotonic) -> None:
        self._callers = callers
        self._issuers = Issuers()
        self._clock = clock
        self._lock = threading.Lock()
        self._decided: dict[tuple[str, ...], tuple[float, dict[str, Any]]] = {}

    def decide(self, route: Any, authorizer: Any, request: HttpRequest, place: Place, arn: str) -> Grant | HttpAnswer:
        """Return what the function is told of the caller, or the refusal; ``route`` and ``authorizer`` are moto's."""
        match route.authorization_type:
            case "JWT" if authorizer:
                return self._bearer(route.authorization_scopes or [], authorizer, request, place)
            case "CUSTOM" if authorizer:
                return self._let_in(authorizer, request, place, arn)
            case "AWS_IAM":
                signer = signer_of(request, service="execute-api", secrets=secret_keys())
                return signed_by(signer, place.account_id) if signer else FORBIDDEN
            case None | "NONE":
                return Grant()
            case _:
                return ERROR

    def _bearer(self, scopes: list[str], authorizer: Any, request: HttpRequest, place: Place) -> Grant | HttpAnswer:
        found = _identity(_sources(authorizer)[:1], request, place)
        if not found:
            return UNAUTHORIZED.having([("WWW-Authenticate", "Bearer")])
        config = authorizer.jwt_config or {}
        try:
            claims = claims_of(
                re.sub("^bearer ", "", found[0], flags=re.IGNORECASE),
                issuer=str(config.get("issuer")),
                audience=config.get("audience") or [],
                key_of=self._issuers.key,
                now_s=time.time(),
            )
        except InvalidTokenError as why:
            return UNAUTHORIZED.having([_challenge(scopes, "invalid_token", str(why))])
        has = scopes_of(claims)
        if scopes and not set(scopes) & set(has):
            return FORBIDDEN.having([_challenge(scopes, "insufficient_scope", "the token has none of the scopes")])
        told_of = {"claims": told(claims), "scopes": has if scopes else None}
        return Grant(v2={"jwt": told_of}, v1=told_of)

    def _let_in(self, authorizer: Any, request: HttpRequest, place: Place, arn: str) -> Grant | HttpAnswer:
        sources = _sources(authorizer)
        identity = _identity(sources, request, place)
        if identity is None:
            return UNAUTHORIZED
        ttl_s = float(authorizer.auth_result_ttl or 0) if sources else 0.0
        key = (place.api_id, place.stage, authorizer.id, *identity)
        with self._lock:
            until, decision = self._decided.get(key, (0.0, {}))
        if until <= self._clock():
            is_v1 = str(authorizer.auth_payload_format_version) == "1.0"
            event = (authorizer_event_v1 if is_v1 else authorizer_event_v2)(request, place, arn, identity)
            answered = self._callers.call(authorizer.authorizer_uri, event, limit_s=LIMIT_S)
            found = None if isinstance(answered, Failure) else _object(answered)
            if found is None:
                return ERROR
            decision = found
            with self._lock:
                self._decided[key] = (self._clock() + ttl_s, decision)
        return granted(decision, arn, simple=bool(authorizer.enable_simple_response))


def granted(decision: Mapping[str, Any], arn: str, *, simple: bool) -> Grant | HttpAnswer:
    """Return what an authorizer's answer means for the route ``arn``: a word, or a policy."""
    context = decision.get("context") or {}
    if not isinstance(context, dict):
        return ERROR
    if simple:
        allowed = decision.get("isAuthorized")
        if not isinstance(allowed, bool):
            return ERROR
    else:
        policy = decision.get("policyDocument")
        if not isinstance(policy, dict) or "principalId" not in decision:
            return ERROR
        allowed = allows(policy, arn)
    principal = {} if simple else {"principalId": decision["principalId"]}
    return Grant(v2={"lambda": context or None}, v1={**principal, **context}) if allowed else FORBIDDEN


def allows(policy: Mapping[str, Any], arn: str) -> bool:
    """Tell whether ``policy`` lets the route ``arn`` be invoked: some statement does, and none denies it."""
    effects = {
        each.get("Effect")
        for each in _list(policy.get("Statement"))
        if isinstance(each, dict)
        and _fits(_list(each.get("Action")), "execute-api:Invoke", re.IGNORECASE)
        and _fits(_list(each.get("Resource")), arn)
    }
    return "Allow" in effects and "Deny" not in effects


def signed_by(access_key: str, account_id: str) -> Grant:
    """Return what functions are told of who signed; every key is the account's own here."""
    user = f"arn:aws:iam::{account_id}:root"
    caller = {"accessKey": access_key, "accountId": account_id, "principalOrgId": None, "userArn": user}
    iam = {**caller, "callerId": account_id, "cognitoIdentity": None, "userId": account_id}
    return Grant(v2={"iam": iam}, identity={**caller, "caller": account_id, "user": account_id})


def secret_keys() -> dict[str, str]:
    """Return the secret key of each access key: the embedded cloud's own, and those made in its IAM."""
    from moto.iam.models import iam_backends

    from build.local.front import ACCOUNT_ID

    made = list(iam_backends[ACCOUNT_ID]["aws"].access_keys.values())
    return {ACCESS_KEY_ID: SECRET_ACCESS_KEY, **{each.access_key_id: each.secret_access_key for each in made}}


def _sources(authorizer: Any) -> list[str]:
    told_of = authorizer.identity_source or []
    return told_of.split(",") if isinstance(told_of, str) else list(told_of)


def _identity(sources: Iterable[str], request: HttpRequest, place: Place) -> list[str] | None:
    """Return what is found at ``sources``; None if one of them is empty."""
    found = [_selected(source.strip(), request, place) for source in sources]
    return [each for each in found if each] if all(found) else None


def _selected(source: str, request: HttpRequest, place: Place) -> str:
    kind, _, name = source.partition(".")
    where, _, name = name.partition(".") if kind == "$request" else (kind, "", name)
    match where:
        case "header":
            return request.header(name.lower()) or ""
        case "querystring":
            return ",".join(request.parameters.get(name, ()))
        case "$stageVariables":
            return place.stage_variables.get(name, "")
        case "$context":
            value: Any = {**context_v1(request, place, Grant()), "routeKey": place.route_key}
            for part in name.split("."):
                value = value.get(part) if isinstance(value, dict) else None
            return str(value or "")
        case _:
            return ""


def _challenge(scopes: list[str], error: str, why: str) -> tuple[str, str]:
    words = why.replace('"', "'")
    return "WWW-Authenticate", f'Bearer scope="{" ".join(scopes)}" error="{error}" error_description="{words}"'


def _object(payload: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(payload)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _fits(patterns: list[Any], text: str, flags: int = 0) -> bool:
    wild = (re.escape(str(each)).replace(r"\*", ".*").replace(r"\?", ".") for each in patterns)
    return any(re.fullmatch(each, text, flags | re.DOTALL) for each in wild)
