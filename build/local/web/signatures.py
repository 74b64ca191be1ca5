"""Requests that are signed, as IAM wants it (Signature Version 4).

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import re
from collections.abc import Mapping

from build.local.web.requests import HttpRequest

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=([^/,\s]+)/\d{8}/([\w-]+)/([\w-]+)/aws4_request,\s*"
    r"SignedHeaders=([\w;-]+),\s*Signature=([0-9a-f]{64})"
)


def is_signed(request: HttpRequest) -> bool:
    """Tell whether ``request`` has something like a signature."""
    return bool(_AUTHORIZATION.fullmatch(request.header("authorization") or ""))


def signer_of(request: HttpRequest, *, service: str, secrets: Mapping[str, str]) -> str | None:
    """Return the access key that ``request`` is rightly signed with, for ``service``; None if it is not.

    ``secrets`` are the secret keys, by access key. How old a signature is does not matter here.
    """
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    match = _AUTHORIZATION.fullmatch(request.header("authorization") or "")
    timestamp = request.header("x-amz-date")
    if not match or not timestamp or match[3] != service or match[1] not in secrets:
        return None
    digest = request.header("x-amz-content-sha256")
    if digest not in (None, "UNSIGNED-PAYLOAD", hashlib.sha256(request.body).hexdigest()):
        return None
    signed = {name: request.header(name) or "" for name in match[4].split(";")}
    if "host" not in signed:
        return None
    url = f"http://{signed['host']}{request.path}{'?' if request.query else ''}{request.query}"
    asked = AWSRequest(request.method, url, headers=signed, data=request.body)
    if digest:
        asked.headers["x-amz-content-sha256"] = digest
    asked.context["timestamp"] = timestamp
    signing = SigV4Auth(Credentials(match[1], secrets[match[1]]), service, match[2])
    told = signing.signature(signing.string_to_sign(asked, signing.canonical_request(asked)), asked)
    return match[1] if hmac.compare_digest(told, match[5]) else None
