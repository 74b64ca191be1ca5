"""What GitHub's REST API does with comments and issues, as its documentation has it, on 127.0.0.1."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

BOT = "github-actions[bot]"
TOKEN = "a-token-of-" + "a-job"


@dataclass(frozen=True, slots=True)
class FakeGitHub:
    """One repository, acme/shop. Add to `faults` what is answered to the next requests instead."""

    url: str
    comments: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    faults: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    """Status and headers. 599 does what is asked, and then ends without an answer; 0 is no fault."""
    asked: list[str] = field(default_factory=list)
    """``GET /repos/…``, in order."""

    @property
    def environ(self) -> dict[str, str]:
        """What GitHub gives a step, and the token."""
        return {
            "GITHUB_API_URL": self.url,
            "GITHUB_REPOSITORY": "acme/shop",
            "GITHUB_RUN_ID": "77",
            "GITHUB_SERVER_URL": "https://github.example.invalid",
            "GITHUB_TOKEN": TOKEN,
        }

    def writes(self) -> list[str]:
        """Return the requests that changed something, or were to."""
        return [each for each in self.asked if not each.startswith("GET ")]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: FakeGitHub

    def do_GET(self) -> None:
        """Answer a page, and where the next one is: by the number of the repository, as GitHub has it."""
        self._answer(None)

    def do_POST(self) -> None:
        """Add."""
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def do_PATCH(self) -> None:
        """Change."""
        self.do_POST()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self, content: dict[str, Any] | None) -> None:
        hub = self.hub
        hub.asked.append(f"{self.command} {self.path}")
        status, headers = hub.faults.pop(0) if hub.faults else (0, {})
        if status not in {0, 599}:
            return self._send(status, {"message": "as the test wants it"}, headers)
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self._send(401, {"message": "Bad credentials"}, {})
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        found = self._route(path, query, content)
        if status == 599:
            self.close_connection = True
            return None
        if isinstance(found, list):
            return self._page(path, query, found)
        return self._send(404 if found is None else {"POST": 201}.get(self.command, 200), found or {}, {})

    def _route(self, path: str, query: dict[str, list[str]], content: dict[str, Any] | None) -> Any:
        comments, issues = self.hub.comments, self.hub.issues
        match path.removeprefix("/repos/acme/shop/issues").split("/"):
            case [""] if content is None:
                wanted = (query["state"], query["creator"])
                found: Any = [row for row in issues if ([row["state"]], [row["user"]["login"]]) == wanted]
            case [""]:
                found = self._added(issues, {"number": 500 + len(issues), "state": "open", **(content or {})})
            case ["", "comments", number]:
                found = self._changed([row for row in comments if row["id"] == int(number)], content)
            case ["", number, "comments"] if content is None:
                found = [row for row in comments if row["on"] == int(number)]
            case ["", number, "comments"]:
                found = self._added(comments, {"id": 9000 + len(comments), "on": int(number), **(content or {})})
            case ["", number]:
                found = self._changed([row for row in issues if row["number"] == int(number)], content)
            case _:
                found = None
        return found

    def _added(self, rows: list[dict[str, Any]], row: dict[str, Any]) -> dict[str, Any]:
        rows.append({"user": {"login": BOT}, **row})
        return rows[-1]

    def _changed(self, rows: list[dict[str, Any]], content: dict[str, Any] | None) -> dict[str, Any] | None:
        for row in rows:
            row.update(content or {})
        return rows[0] if rows else None

    def _page(self, path: str, query: dict[str, list[str]], rows: list[dict[str, Any]]) -> None:
        size, page = min(int(query.get("per_page", ["30"])[0]), 100), int(query.get("page", ["1"])[0])
        shown, headers = rows[(page - 1) * size : page * size], {}
        if page * size < len(rows):
            others = "&".join(f"{name}={value[0]}" for name, value in query.items() if name != "page")
            there = f"{self.hub.url}{re.sub('^/repos/acme/shop', '/repositories/1', path)}?{others}&page={page + 1}"
            headers["Link"] = f'<{self.hub.url}/first>; rel="first", <{there}>; rel="next"'
        self._send(200, shown, headers)

    def _send(self, status: int, content: object, headers: dict[str, str]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def running() -> Iterator[FakeGitHub]:
    """Yield a server that answers until the end."""
    handler = type("Handler", (_Handler,), {})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        hub = FakeGitHub(f"http://127.0.0.1:{server.server_port}")
        handler.hub = hub  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
