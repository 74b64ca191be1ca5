"""How many primes there are up to a number, counted in C."""

import ctypes
from pathlib import Path
from typing import Any

MOST = 50_000_000
"""Each number takes a byte of memory, and the function has 256 MB."""

_library = ctypes.CDLL(str(Path(__file__).with_name("libprimes.so")))
_library.primes_up_to.argtypes = [ctypes.c_long]
_library.primes_up_to.restype = ctypes.c_long


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer with the number of primes up to `event["last"]`."""
    last = event.get("last")
    if type(last) is not int or not 0 <= last <= MOST:
        msg = f'expected {{"last": 100}}, a number up to {MOST}'
        raise ValueError(msg)
    primes = _library.primes_up_to(last)
    if primes < 0:
        msg = f"no memory for {last} bytes"
        raise MemoryError(msg)
    return {"last": last, "primes": primes}
