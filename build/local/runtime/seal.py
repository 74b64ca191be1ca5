"""Shut this process in: what it imports from now on reads no foreign file or process, writes nothing, reaches nobody.

For code that is run where there are credentials. Linux alone can do it, with Landlock and seccomp, without root or a
program; it holds for every child, and nothing takes it back. Standard library of 3.10 only, as `probe`.
https://docs.kernel.org/userspace-api/landlock.html, https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import ctypes
import os
import struct
from collections.abc import Iterable

_NO_NEW_PRIVILEGES, _SECCOMP, _SECCOMP_FILTER = 38, 22, 2  # prctl
_CAPABILITIES = struct.pack("=Ii", 0x20080522, 0)
"""Header of capset(): its newest version, and this process."""
_CREATE, _ADD_RULE, _RESTRICT = 444, 445, 446  # of Landlock; the same number on every architecture
_VERSION, _PATH_BENEATH = 1, 1
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
"""How many rights to files a kernel's Landlock knows; later ones have no more of them."""
_READ = 0b1101
"""Execute, read files, list folders."""
_DEVICE = 0b110
"""Write and read a file."""
_SYSTEM = ("/bin", "/etc", "/lib", "/lib64", "/proc", "/sbin", "/sys", "/usr")
_DEVICES = ("/dev/null", "/dev/random", "/dev/urandom", "/dev/zero")
_CONNECT = {"x86_64": (0xC000003E, 42), "aarch64": (0xC00000B7, 203)}
"""By machine: how seccomp calls it, and the number of connect()."""
_IO_URING = 425
_FOREIGN_CALLS = 0x40000000
"""From here on x86_64 has the same calls once more, as x32."""
_REFUSED = 0x00050000 | 111
_ALLOWED = 0x7FFF0000


def shut_in(readable: Iterable[str], writable: Iterable[str]) -> bool:
    """Leave this process the system's own folders, ``readable`` and ``writable``; tell whether that worked.

    Also barred: memory and environment of processes outside, more privileges (sudo), connections to anybody.
    """
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        return (
            libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
            and libc.capset(_CAPABILITIES, bytes(24)) == 0  # root's let it look into any process
            and _files(libc, readable, writable)
            and _calls(libc)
        )
    except (OSError, AttributeError, KeyError):  # no Linux, or a machine that is not in the table
        return False


def _files(libc: ctypes.CDLL, readable: Iterable[str], writable: Iterable[str]) -> bool:
    version = libc.syscall(_CREATE, None, ctypes.c_size_t(0), _VERSION)
    if version < 1:
        return False
    every = (1 << _RIGHTS.get(version, 16)) - 1
    handled = struct.pack("=Q", every)
    rules = libc.syscall(_CREATE, handled, ctypes.c_size_t(len(handled)), 0)
    places = [*((each, _READ) for each in (*_SYSTEM, *readable)), *((each, _DEVICE) for each in _DEVICES)]
    for place, rights in [*places, *((each, every) for each in writable)]:
        if os.path.exists(place):  # noqa: PTH110 - before pathlib is imported on the function's time
            beneath = os.open(place, os.O_PATH | os.O_CLOEXEC)
            rule = struct.pack("=Qi", rights, beneath)
            if libc.syscall(_ADD_RULE, rules, _PATH_BENEATH, rule, 0) != 0:
                return False
            os.close(beneath)
    return bool(libc.syscall(_RESTRICT, rules, 0) == 0)


def _calls(libc: ctypes.CDLL) -> bool:
    """Refuse every connection, and io_uring, which could make one unseen: sockets of files know no rights to files."""
    architecture, connect = _CONNECT[os.uname().machine]
    load, is_equal, is_at_least, end = 0x20, 0x15, 0x35, 0x06
    program = [
        (load, 0, 0, 4),  # the architecture
        (is_equal, 0, 5, architecture),
        (load, 0, 0, 0),  # the number of the call
        (is_at_least, 3, 0, _FOREIGN_CALLS),
        (is_equal, 2, 0, connect),
        (is_equal, 1, 0, _IO_URING),
        (end, 0, 0, _ALLOWED),
        (end, 0, 0, _REFUSED),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in program))
    head = struct.pack("@HP", len(program), ctypes.addressof(code))
    return bool(libc.prctl(_SECCOMP, _SECCOMP_FILTER, head, 0, 0) == 0)
