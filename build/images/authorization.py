"""What a registry wants to see before it answers: a name and a password, or a token for what is asked of it.

https://distribution.github.io/distribution/spec/auth/token/
"""

import base64
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')

Ask = Callable[[str, Mapping[str, str]], Any]
"""Gets an address with headers, patiently, and returns the answer."""


@dataclass(slots=True)
class Authorization:
    """What was granted so far. Threads may share it."""

    credentials: Callable[[], tuple[str, str]] | None
    """Gives name and password when they are asked for, and again once they no longer do; None: nobody."""
    _granted: dict[str, str] = field(init=False, default_factory=dict)
    """By scope."""
    _lock: threading.Lock = field(init=False, default_factory=threading.Lock)

    def headers(self, repository: str, also: str | None = None) -> dict[str, str]:
        """Return what to send with a request that is about ``repository``, and perhaps about another one ``also``."""
        with self._lock:
            known = self._granted.get(_scope(repository, also)) or self._granted.get("")
        return {"Authorization": known} if known else {}

    def grant(self, refusal: Any, repository: str, also: str | None, ask: Ask) -> bool:
        """Get what an answer with status 401 asks for; tell whether it differs from what was just refused.

        Raises ValueError where there is to be a token, and none comes.
        """
        kind, _, rest = refusal.headers.get("WWW-Authenticate", "").partition(" ")
        asked = dict(_CHALLENGE.findall(rest))
        if kind.lower() == "basic" and self.credentials:
            scope, granted = "", self._basic()
        elif kind.lower() == "bearer" and "realm" in asked:
            scope, granted = _scope(repository, also), f"Bearer {self._token(asked, repository, also, ask)}"
        else:
            return False
        with self._lock:
            before, self._granted[scope] = self._granted.get(scope), granted
        return before != granted

    def _token(self, asked: Mapping[str, str], repository: str, also: str | None, ask: Ask) -> str:
        query = [("service", asked["service"])] if "service" in asked else []
        query.append(("scope", asked.get("scope") or f"repository:{repository}:pull"))
        query += [("scope", f"repository:{also}:pull")] if also else []
        own = {"Authorization": self._basic()} if self.credentials else {}
        answer = ask(f"{asked['realm']}?{urlencode(query)}", own)
        try:
            told = json.loads(answer.data)
            return str(told.get("token") or told["access_token"])
        except (LookupError, AttributeError):
            raise ValueError(f"no token in the answer of {asked['realm']}") from None

    def _basic(self) -> str:
        assert self.credentials
        name, password = self.credentials()
        return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


def _scope(repository: str, also: str | None) -> str:
    return f"{repository} {also}" if also else repository
