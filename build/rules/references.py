"""Names of images: ``HOST/REPOSITORY:TAG@DIGEST``."""

import re
from dataclasses import dataclass
from typing import Self

from build.digest import Digest

_REFERENCE = re.compile(
    r"(?P<host>(?:[a-z0-9-]+(?:\.[a-z0-9-]+)+|localhost)(?::\d{1,5})?)"
    r"/(?P<repository>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?"
    r"(?:@sha256:(?P<digest>[0-9a-f]{64}))?",
    re.ASCII,
)
_LOOPBACK = re.compile(r"(?:localhost|127(?:\.\d+){3})(?::\d+)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reference:
    """An image, or where images are."""

    host: str
    repository: str
    tag: str = ""
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read it; raise ValueError for what has no host, no tag and no digest, or is no reference at all."""
        match = _REFERENCE.fullmatch(text)
        if not match or not (match["tag"] or match["digest"]):
            msg = f"expected HOST/REPOSITORY:TAG or HOST/REPOSITORY@sha256:DIGEST, got {text!r}"
            raise ValueError(msg)
        digest = Digest(match["digest"]) if match["digest"] else None
        return cls(match["host"], match["repository"], match["tag"] or "", digest)

    @property
    def name(self) -> str:
        """What a registry is asked for: the digest, or without one the tag."""
        return str(self.digest) if self.digest else self.tag

    @property
    def is_on_loopback(self) -> bool:
        """Tell whether the registry is one of this machine, which no certificate is for."""
        return bool(_LOOPBACK.fullmatch(self.host))

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return f"{self.host}/{self.repository}{tag}{f'@{self.digest}' if self.digest else ''}"
