"""What wheels are built with here, each pinned with its hashes."""

from pathlib import Path

from build.digest import Digest

BACKENDS = Path(__file__).with_name("backends.txt")
"""The lock of build backends."""
COMPILER = Path(__file__).with_name("compiler.txt")
"""The lock of the one compiler that builds may use."""

_FORMAT = 2
RULES = Digest.of_bytes("\0".join([str(_FORMAT), BACKENDS.read_text("utf-8"), COMPILER.read_text("utf-8")]).encode())
"""Of what decides a built wheel's bytes beside its source. Raise `_FORMAT` when the same source shall give others."""
