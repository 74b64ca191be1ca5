"""Rules about what must never ship: keys, tokens and passwords in a src/. What is found is never printed.

Only the folder's own files are read. A line that is no secret says so with ``slipway: allow-secret``, on the line
itself or on the one above.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import PurePosixPath

from build.checks.modules import files_of
from build.checks.problem import Problem
from build.model import Build, Workspace
from build.packaging.sources import SourceFile
from build.store.objects import Store

_ALLOWED = b"slipway: allow-secret"
MOST_BYTES = 5_000_000
"""Larger files are data, and are judged by their name alone."""
_BINARY_BYTES = 8192
"""A NUL among so many first bytes makes a file a binary one, as git has it."""
_EXAMPLES = (b"EXAMPLE", b"example", b"XXXX", b"xxxx")
"""In documented samples, such as those of AWS."""
_DISTINCT = 8
"""A real key has more different characters than a row of zeros."""
_KEY_CHARS = 32
"""Of the end of what was found: they are of the key itself, not of the word before it."""
_SHOWN_LINES = 5

_PATTERNS: tuple[tuple[bytes, str, str], ...] = (
    (b"AKIA", r"(?<![A-Za-z0-9])AKIA[A-Z2-7]{16}(?![A-Za-z0-9])", "an AWS access key id"),
    (b"ASIA", r"(?<![A-Za-z0-9])ASIA[A-Z2-7]{16}(?![A-Za-z0-9])", "an AWS access key id"),
    (
        b"secret",
        # Also as an item of os.environ, with an annotation, as an argument behind a comma, as bytes.
        (
            r"secret[_-]?(?:access[_-]?)?key[\"']?\s{0,9}\]?\s{0,9}"
            r"(?:(?::\s{0,9}[\w.\[\] |]{1,40})?[:=]{1,2}\s{0,9}(?:[bru]{0,2}[\"'])?|,\s{0,9}[bru]{0,2}[\"'])"
            r"[a-z0-9/+]{40}(?![a-z0-9/+=])"
        ),
        "an AWS secret access key",
    ),
    (
        b"PRIVATE KEY",
        # Followed by some of the key itself: code that reads keys names the line, too.
        (
            r"PRIVATE KEY(?: BLOCK)?-----(?:\\[rn]|[\s\"'+,()\\]|[bruBRU]{1,2}[\"']|[A-Za-z-]+: [^\n]{0,80}\n){0,40}"
            r"[A-Za-z0-9+/=]{32}"
        ),
        "a private key",
    ),
    *((f"gh{kind}_".encode(), rf"gh{kind}_[A-Za-z0-9]{{36}}", "a GitHub token") for kind in "pousr"),
    (b"github_pat_", r"github_pat_[A-Za-z0-9_]{40}", "a GitHub token"),
    (b"glpat-", r"glpat-[A-Za-z0-9_-]{20}", "a GitLab token"),
    (b"xox", r"xox[abeoprs]-[A-Za-z0-9-]{20}", "a Slack token"),
    (b"hooks.slack.com", r"hooks\.slack\.com/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{16}", "a Slack token"),
    (b"k_live_", r"k_live_[A-Za-z0-9]{16}", "a Stripe key"),
    (b"whsec_", r"whsec_[A-Za-z0-9+/]{24}", "a Stripe key"),
    (b"AIza", r"AIza[A-Za-z0-9_-]{35}", "a Google API key"),
    (b"pypi-AgEI", r"pypi-AgEI[A-Za-z0-9_-]{50}", "a token of a package index"),
    (b"npm_", r"npm_[A-Za-z0-9]{36}", "a token of a package index"),
    (b"SG.", r"SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}", "a SendGrid key"),
    (b"sk-ant-", r"sk-ant-[A-Za-z0-9_-]{32}", "an API key"),
    (b"sk-proj-", r"sk-proj-[A-Za-z0-9_-]{32}", "an API key"),
)
"""Bytes without which there is nothing to look for, which are found at the speed of memory; pattern; words for it."""
_LOGINS = frozenset({".netrc", ".pypirc", ".npmrc", ".git-credentials", ".htpasswd", ".pgpass", "credentials"})
"""Files that hold logins and nothing else; ``credentials`` is that of the AWS command line."""
_KEY_STORES = frozenset({".p12", ".pfx", ".jks", ".keystore", ".kdbx", ".ppk"})
_PRIVATE_KEYS = frozenset({"id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"})


def secret(workspace: Workspace, _build: Build, _store: Store) -> Iterator[Problem]:
    """Refuse keys, tokens and logins in a src/."""
    for spec in workspace.specs:
        found: dict[str, list[str]] = {}
        for file in files_of(spec.folder, workspace.root):
            for what, line in _secrets(file):
                found.setdefault(what, []).append(f"src/{file.path}:{line}")
        for what, places in found.items():
            beyond = f" and {len(places) - _SHOWN_LINES} more" if len(places) > _SHOWN_LINES else ""
            yield Problem(
                subject=spec.identity,
                message=f"{what} would ship with it: {', '.join(places[:_SHOWN_LINES])}{beyond}",
                hint="revoke it, for git remembers; read such values at run time from Secrets Manager or Parameter "
                "Store; what is none gets the comment `slipway: allow-secret` on its line; then run `invoke check`",
            )


def key_file(workspace: Workspace, _build: Build, _store: Store) -> Iterator[Problem]:
    """Warn of key stores, which may hold private keys or only certificates: nobody can look in."""
    for spec in workspace.specs:
        names = [file.path for file in files_of(spec.folder, workspace.root) if _is_key_store(file.path)]
        if names:
            yield Problem(
                subject=spec.identity,
                message=f"key stores ship with it: {', '.join(f'src/{name}' for name in names)}",
                hint="if they hold private keys, read them at run time from Secrets Manager; then run `invoke check`",
            )


def secrets_in(path: str, data: bytes) -> tuple[tuple[str, int], ...]:
    """Return what is found in the file ``path``, and on which lines.

    ``data`` is its content, at least `MOST_BYTES` and one more of it: larger files are judged by their name alone.
    """
    name = PurePosixPath(path).name
    is_login, is_key = name in _LOGINS, name in _PRIVATE_KEYS
    if len(data) > MOST_BYTES or b"\0" in data[:_BINARY_BYTES]:
        return (("a private key", 1),) if is_key else ()
    found = tuple(_matches(data))
    if not found and data.strip() and _ALLOWED not in data and (is_login or is_key):
        found = (("a file of logins" if is_login else "a private key", 1),)
    return found


@cache
def _secrets(file: SourceFile) -> tuple[tuple[str, int], ...]:
    with file.place.open("rb") as stream:
        return secrets_in(file.path, stream.read(MOST_BYTES + 1))


def _matches(data: bytes) -> Iterator[tuple[str, int]]:
    lowered = data.lower()
    for mark, pattern, what in _PATTERNS:
        text = lowered if mark == b"secret" else data
        if mark not in text:
            continue
        for match in re.finditer(pattern.encode(), text):
            value = data[slice(*match.span())][-_KEY_CHARS:]
            if any(example in value for example in _EXAMPLES) or len(set(value)) < _DISTINCT:
                continue
            line = data.count(b"\n", 0, match.start())
            if not any(_ALLOWED in each for each in data.split(b"\n")[max(0, line - 1) : line + 1]):
                yield what, line + 1


def _is_key_store(path: str) -> bool:
    return PurePosixPath(path).suffix.lower() in _KEY_STORES


def forget() -> None:
    """Read every file anew."""
    _secrets.cache_clear()
