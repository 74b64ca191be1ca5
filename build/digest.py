"""Digests: the sha256 of bytes, in the two spellings AWS and Terraform want."""

import base64
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

_HEX = re.compile(r"[0-9a-f]{64}")
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A sha256. ``str()`` gives ``sha256:…``; ``base64`` is what Lambda calls CodeSha256."""

    hex: str
    """64 lower-case hex digits."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``sha256:<hex>`` or bare hex; raise ValueError for anything else."""
        hex_digits = text.removeprefix("sha256:")
        if not _HEX.fullmatch(hex_digits):
            msg = f"not a sha256 digest: {text!r}"
            raise ValueError(msg)
        return cls(hex_digits)

    @classmethod
    def of_bytes(cls, data: bytes) -> Self:
        """Digest ``data``."""
        return cls(hashlib.sha256(data).hexdigest())

    @classmethod
    def of_file(cls, path: Path) -> Self:
        """Digest the bytes of the file at ``path``."""
        with path.open("rb") as stream:
            return cls.of_stream(stream)

    @classmethod
    def of_stream(cls, stream: BinaryIO) -> Self:
        """Digest what is left of ``stream``, read in pieces of 1 MiB."""
        sha256 = hashlib.sha256()
        while chunk := stream.read(_CHUNK_BYTES):
            sha256.update(chunk)
        return cls(sha256.hexdigest())

    @property
    def base64(self) -> str:
        """The digest's 32 bytes in base64: CodeSha256, ChecksumSHA256, source_code_hash."""
        return base64.b64encode(bytes.fromhex(self.hex)).decode("ascii")

    @property
    def short(self) -> str:
        """Twelve hex digits, for people."""
        return self.hex[:12]

    def __str__(self) -> str:
        return f"sha256:{self.hex}"
