"""What an API or a function URL tells browsers of pages that come from elsewhere.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
https://docs.aws.amazon.com/lambda/latest/api/API_Cors.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from build.local.web.requests import HttpRequest, Pairs

PREFIX = "access-control-"
"""Of all headers that are about it: with a configuration, those of the function do not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """A configuration."""

    origins: tuple[str, ...]
    methods: tuple[str, ...]
    headers: tuple[str, ...]
    exposed: tuple[str, ...]
    credentials: bool
    max_age_s: int

    @classmethod
    def of(cls, given: Mapping[str, Any] | None) -> "Cors | None":
        """Read what API Gateway (``allowOrigins``) or Lambda (``AllowOrigins``) was told; None for nothing."""
        if not given:
            return None
        told = {name[0].lower() + name[1:]: value for name, value in given.items()}
        return cls(
            origins=tuple(told.get("allowOrigins") or ()),
            methods=tuple(told.get("allowMethods") or ()),
            headers=tuple(told.get("allowHeaders") or ()),
            exposed=tuple(told.get("exposeHeaders") or ()),
            credentials=bool(told.get("allowCredentials")),
            max_age_s=int(told.get("maxAge") or 0),
        )

    def preflight(self, request: HttpRequest) -> Pairs:
        """Return the headers of the answer to ``request``, which asks before it comes; none for a stranger."""
        origin = self._origin(request)
        if not origin or request.header("access-control-request-method") is None:
            return ()
        told = {
            "access-control-allow-methods": ",".join(self.methods),
            "access-control-allow-headers": ",".join(self.headers),
            "access-control-max-age": str(self.max_age_s) if self.max_age_s else "",
        }
        return (*origin, *((name, value) for name, value in told.items() if value))

    def response(self, request: HttpRequest) -> Pairs:
        """Return what is added to the answer to ``request``; nothing for a stranger."""
        origin = self._origin(request)
        exposed = ((f"{PREFIX}expose-headers", ",".join(self.exposed)),) if self.exposed else ()
        return (*origin, *exposed) if origin else ()

    def _origin(self, request: HttpRequest) -> Pairs:
        origin = request.header("origin")
        if origin is None or not any(_fits(pattern, origin) for pattern in self.origins):
            return ()
        told = "*" if "*" in self.origins else origin
        credentials = ((f"{PREFIX}allow-credentials", "true"),) if self.credentials else ()
        return ((f"{PREFIX}allow-origin", told), *((("vary", "origin"),) if told != "*" else ()), *credentials)


def _fits(pattern: str, origin: str) -> bool:
    return bool(re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), origin, re.IGNORECASE))
