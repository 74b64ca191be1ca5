"""GitHub as a job of its workflows meets it: the REST API, and text that is safe and short enough to put there.

https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
"""

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlencode

from build.errors import InputError, ToolError

BODY_CHARS = 60_000
"""How long what we put on GitHub may be; it refuses bodies of more than 65,536 characters."""
SUMMARY_BYTES = 1024 * 1024
"""https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-commands: of one step's summary."""

_BOT = "github-actions[bot]"
"""Who writes with a workflow's token."""
_TRIES = 5
_LONGEST_WAIT_S = 90.0
_SILENCE_S = 30
_PAGE = 100

_BETWEEN = "\n\n---\n\n"
_CUT = "\n\n**… the rest is left out here. All of it is with the run.**\n"
_ROOM_TO_CLOSE = 400
_INVISIBLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_HIDDEN = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_AT = re.compile(r"&(?=(#0*64|#x0*40|commat);)", re.IGNORECASE)
_NOTHING = "\u200b"
"""A space without width: what stands on its two sides is no longer one word for GitHub."""


# ── text ──────────────────────────────────────────────────────────────────────────────────────


def neutral(text: str) -> str:
    """Return ``text``, which anybody may have written, so that GitHub shows it and does nothing else with it.

    It notifies nobody, refers to no issue by number, has no hidden comment that a program could take for its own
    marker, and nothing that turns the direction of writing.
    """
    text = _HIDDEN.sub("", _INVISIBLE.sub("", text.replace("\r\n", "\n")))
    text = _AT.sub("&amp;", text).replace("@", f"@{_NOTHING}").replace("<!--", f"<{_NOTHING}!--")
    return re.sub(r"#(?=\d)", f"#{_NOTHING}", text)


def fitted(text: str, limit: int) -> str:
    """Return ``text``, or its first lines with what they leave open closed, in at most ``limit`` characters."""
    if len(text) <= limit:
        return text
    kept = text[: max(limit - len(_CUT) - _ROOM_TO_CLOSE, 0)].rpartition("\n")[0]
    fence = ""
    for line in kept.splitlines():
        if mark := re.match(r" {0,3}(`{3,}|~{3,})", line):
            if not fence:
                fence = mark[1]
            elif mark[1].startswith(fence) and not line.strip(f" {fence[0]}"):
                fence = ""
    closing = f"\n{fence[:40]}\n" if fence else "\n"
    still_open = max(kept.count("<details") - kept.count("</details"), 0)
    return kept + closing + "\n</details>\n" * min(still_open, 20) + _CUT


def together(texts: Mapping[str, str], limit: int) -> str:
    """Return all ``texts``, one below the other; what the short ones leave of ``limit`` is for the long ones."""
    left = limit - len(_BETWEEN) * max(len(texts) - 1, 0)
    shown: dict[str, str] = {}
    for number, name in enumerate(sorted(texts, key=lambda name: len(texts[name]))):
        shown[name] = fitted(texts[name], left // (len(texts) - number))
        left -= len(shown[name])
    return _BETWEEN.join(shown[name] for name in texts)


def texts_in(folder: Path, filename: str) -> dict[str, str]:
    """Return the ``filename`` of each folder below ``folder``, by that folder's name, as `neutral` text.

    They come from a job that runs the code of others: what is no plain file below ``folder`` is refused, and what
    is longer than we would show is not read. Empty where there is no ``folder``.
    """
    paths = sorted(folder.glob(f"*/{filename}"))
    odd = [str(path) for path in paths if path.is_symlink() or path.parent.is_symlink() or not path.is_file()]
    if odd:
        raise InputError("these are no plain files", facts=odd, hint=f"look at them with `ls -l {folder}`")
    texts = {}
    for path in paths:
        with path.open("rb") as stream:
            texts[path.parent.name] = neutral(stream.read(BODY_CHARS * 4).decode("utf-8", errors="replace"))
    return texts


# ── the API ───────────────────────────────────────────────────────────────────────────────────


class _NotToldError(Exception):
    """GitHub did not tell whether it did what was asked."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Tokens go where we send them, and nowhere else."""

    def redirect_request(self, *_: object, **__: object) -> None:
        """Refuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHub:
    """The repository that the job belongs to."""

    url: str
    """Of the API: ``https://api.github.com``."""
    repository: str
    """``acme/shop``."""
    token: str
    run: str
    """Address of the run, for people."""
    sleep: Callable[[float], None] = time.sleep

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Read what GitHub tells every step, and the token that a step is given; raise InputError if any is missing."""
        names = ("GITHUB_API_URL", "GITHUB_REPOSITORY", "GITHUB_TOKEN", "GITHUB_SERVER_URL", "GITHUB_RUN_ID")
        missing = [name for name in names if not environ.get(name)]
        if missing:
            raise InputError(
                "this speaks to GitHub, from a step of a workflow",
                facts=[f"not set: {', '.join(missing)}"],
                hint="give the step `GITHUB_TOKEN: ${{ github.token }}` as `env`; on a desk run `invoke plan`",
            )
        url, repository, token, server, run = (environ[name].rstrip("/") for name in names)
        return cls(url=url, repository=repository, token=token, run=f"{server}/{repository}/actions/runs/{run}")

    def put_comment(self, number: int, marker: str, body: str) -> bool:
        """Make ``body`` the one comment with ``marker`` on a pull request or issue; tell whether it is a new one."""
        path = f"issues/{number}/comments"
        return self._put(path, {}, "issues/comments/{id}", marker, {"body": body})

    def put_issue(self, marker: str, title: str, body: str) -> bool:
        """Make ``body`` the one open issue with ``marker``; tell whether it is a new one."""
        query = {"state": "open", "creator": _BOT}
        return self._put("issues", query, "issues/{number}", marker, {"title": title, "body": body})

    def close_issue(self, marker: str, comment: str) -> bool:
        """Close the open issue with ``marker``, saying why; tell whether there was one."""
        found = self._find("issues", {"state": "open", "creator": _BOT}, marker)
        if found:
            self._send("PATCH", f"issues/{found['number']}", {"state": "closed", "state_reason": "completed"})
            with suppress(_NotToldError):  # what counts is that it is closed
                self._send("POST", f"issues/{found['number']}/comments", {"body": comment})
        return found is not None

    def _put(self, path: str, query: Mapping[str, str], one: str, marker: str, content: Mapping[str, str]) -> bool:
        """Change what has ``marker``, or add it. Where GitHub does not tell whether it added it, look again first."""
        content, why = {**content, "body": f"{marker}\n{content['body']}"}, ""
        for number in range(_TRIES):
            found = self._find(path, query, marker)
            if found:
                self._send("PATCH", one.format_map(found), content)
                return False
            try:
                self._send("POST", path, content)
            except _NotToldError as reason:
                why = str(reason)
                self.sleep(2**number)
            else:
                return True
        raise _unanswered(f"{self.url}/repos/{self.repository}/{path}", why)

    def _find(self, path: str, query: Mapping[str, str], marker: str) -> dict[str, Any] | None:
        """Return the first of ``path`` that a workflow wrote and that begins with ``marker``; never a pull request."""
        page = urlencode({**query, "per_page": _PAGE})
        while page:
            rows, links = self._send("GET", f"{path}?{page}")
            for row in rows:
                ours = (row.get("user") or {}).get("login") == _BOT and (row.get("body") or "").startswith(marker)
                if ours and "pull_request" not in row:
                    return dict(row)
            # Of the address of the next page only the query is taken: the token goes to no other.
            following = re.search(r'<[^>]*\?([^>]+)>;\s*rel="next"', links)
            page = following[1] if following else ""
        return None

    def _send(self, method: str, path: str, content: Mapping[str, str] | None = None) -> tuple[Any, str]:
        """Return what GitHub answers, and its header Link. Waits and asks again where it says so.

        Raises ToolError if it refuses; for a POST that may or may not have been heard, _NotToldError.
        """
        url, why = f"{self.url}/repos/{quote(self.repository)}/{path}", ""
        for number in range(_TRIES):
            try:
                return self._once(method, url, content)
            except urllib.error.HTTPError as refusal:
                wait = _wait_s(refusal.code, refusal.headers, number)
                why = f"{refusal.code} {refusal.reason}"
                if wait is None or wait > _LONGEST_WAIT_S:
                    raise _refused(method, url, refusal) from None
                if method == "POST" and refusal.code >= 500:
                    raise _NotToldError(why) from None
                refusal.close()
            except (OSError, ValueError, HTTPException) as reason:
                why, wait = str(reason), 2.0**number
                if method == "POST":
                    raise _NotToldError(why) from None
            self.sleep(wait)
        raise _unanswered(url, why)

    def _once(self, method: str, url: str, content: Mapping[str, str] | None) -> tuple[Any, str]:
        request = urllib.request.Request(  # noqa: S310 - GitHub's own word on where its API is
            url,
            method=method,
            data=None if content is None else json.dumps(content).encode(),
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
                "User-Agent": "slipway",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )
        with urllib.request.build_opener(_NoRedirects).open(request, timeout=_SILENCE_S) as answer:
            return json.load(answer), answer.headers.get("Link", "")


def _wait_s(code: int, headers: Message, number: int) -> float | None:
    """Return for how long to wait before the next try; None if there is no sense in one.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """
    if code >= 500:
        return 2.0**number
    if code not in {403, 429}:
        return None
    if headers.get("Retry-After", "").isdigit():
        return float(headers["Retry-After"])
    if headers.get("X-RateLimit-Remaining") == "0" and headers.get("X-RateLimit-Reset", "").isdigit():
        return max(float(headers["X-RateLimit-Reset"]) - time.time(), 0) + 1
    return 60.0 if code == 429 else None


def _refused(method: str, url: str, refusal: urllib.error.HTTPError) -> ToolError:
    said = refusal.read(2000).decode("utf-8", errors="replace")
    facts = [f"{method} {url}", f"answered: {refusal.code} {said}"]
    if needed := refusal.headers.get("X-Accepted-GitHub-Permissions"):
        facts.append(f"the token needs: {needed}")
    hint = "give the job the permission in its workflow (`issues: write`, `pull-requests: write`), then run it again"
    return ToolError("GitHub refused", facts=facts, hint=hint)


def _unanswered(url: str, why: str) -> ToolError:
    facts = [f"at {url}", f"{_TRIES} times, the last time: {why}"]
    return ToolError("GitHub does not answer", facts=facts, hint="run the job again; the rest of the run is not needed")
