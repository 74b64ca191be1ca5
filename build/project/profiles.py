"""What AWS runs our code on: one profile per runtime and architecture.

python3.10 and python3.11 run on Amazon Linux 2, python3.12 and later on Amazon Linux 2023:
https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from build.model import Architecture, Runtime, Target

if TYPE_CHECKING:
    from packaging.tags import Tag

BUNDLED = frozenset(
    "awslambdaric boto3 botocore jmespath python-dateutil s3transfer simplejson six snapshot-restore-py urllib3".split()
)
"""Distributions every runtime brings; they ship only when a lock pins them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """What a runtime's operating system has for compiled code."""

    versions: Mapping[str, tuple[int, ...]]
    """The highest version of every family of symbols: ``GLIBC`` to ``(2, 34)``."""
    libraries: frozenset[str]
    """Sonames. Fewer than manylinux takes for granted: no X11, GL, glib, expat or libatomic, and no libgomp."""


_LIBRARIES = (
    "ld-linux-x86-64.so.2 ld-linux-aarch64.so.1 libanl.so.1 libc.so.6 libdl.so.2 libgcc_s.so.1 libm.so.6 "
    "libmvec.so.1 libpthread.so.0 libresolv.so.2 librt.so.1 libstdc++.so.6 libutil.so.1 libz.so.1"
)
# Versions: as measured in both, https://github.com/mayeut/pep600_compliance/tree/master/cache. The libstdc++ and
# libgcc of Amazon Linux 2023 are GCC 14's since 2023.7: https://github.com/docker-library/official-images/pull/18759.
# Libraries: what Python and its runtime client need there. What only the package manager of the container images
# brings, zip functions do not have: https://github.com/lambgeo/docker-lambda/issues/34 (libcurl, libxml2) and
# https://github.com/developmentseed/eoapi-cdk/pull/182 (libexpat).
_AL2 = System(
    versions={"GLIBC": (2, 26), "GLIBCXX": (3, 4, 24), "CXXABI": (1, 3, 11), "GCC": (7, 0, 0), "ZLIB": (1, 2, 5, 2)},
    libraries=frozenset([*_LIBRARIES.split(), "libcrypto.so.10", "libnsl.so.1", "libssl.so.10"]),
)
_AL2023 = System(
    versions={"GLIBC": (2, 34), "GLIBCXX": (3, 4, 33), "CXXABI": (1, 3, 15), "GCC": (14, 0, 0), "ZLIB": (1, 2, 9)},
    libraries=frozenset([*_LIBRARIES.split(), "libcrypto.so.3", "libssl.so.3"]),
)
_SYSTEMS = {10: _AL2, 11: _AL2, 12: _AL2023, 13: _AL2023, 14: _AL2023}
_PATCH = {10: 16, 11: 11, 12: 9, 13: 2, 14: 0}
"""A patch release that the runtime has reached; AWS only moves forward. For python_full_version markers."""

_MACHINE = {Architecture.X86_64: "x86_64", Architecture.ARM64: "aarch64"}
_OLDEST_GLIBC_MINOR = {Architecture.X86_64: 5, Architecture.ARM64: 17}
"""PEP 513 begins with 2.5 for x86_64, PEP 599 with 2.17 for aarch64."""
_LEGACY = {5: "manylinux1", 12: "manylinux2010", 17: "manylinux2014"}

RUNTIMES = tuple(Runtime(minor) for minor in sorted(_SYSTEMS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One runtime on one architecture, as packaging tools see it."""

    target: Target
    glibc: tuple[int, int]
    machine: str
    """What ``uname -m`` says there: x86_64 or aarch64."""
    platforms: tuple[str, ...]
    """Platform tags, best first. pip takes them literally, so every glibc minor is listed."""
    markers: Mapping[str, str]
    """PEP 508 marker variables."""

    @property
    def tags(self) -> "tuple[Tag, ...]":
        """Wheel tags the runtime accepts, best first."""
        return _tags(self.target.runtime.minor, self.platforms)


@cache
def _tags(minor: int, platforms: tuple[str, ...]) -> "tuple[Tag, ...]":
    from packaging import tags  # here: 20 ms that `invoke --list` need not pay

    version = (3, minor)
    return (
        *tags.cpython_tags(version, platforms=platforms),
        *tags.compatible_tags(version, f"cp3{minor}", platforms),
    )


@cache
def profile_of(target: Target) -> Profile:
    """Return the profile of ``target``, whose runtime must be one of `RUNTIMES`."""
    minor = target.runtime.minor
    machine = _MACHINE[target.architecture]
    major_glibc, minor_glibc = _SYSTEMS[minor].versions["GLIBC"]
    platforms: list[str] = []
    for glibc in range(minor_glibc, _OLDEST_GLIBC_MINOR[target.architecture] - 1, -1):
        platforms.append(f"manylinux_{major_glibc}_{glibc}_{machine}")
        if glibc in _LEGACY:
            platforms.append(f"{_LEGACY[glibc]}_{machine}")
    full_version = f"{target.runtime.version}.{_PATCH[minor]}"
    return Profile(
        target=target,
        glibc=(major_glibc, minor_glibc),
        machine=machine,
        platforms=(*platforms, f"linux_{machine}"),
        markers={
            "implementation_name": "cpython",
            "implementation_version": full_version,
            "os_name": "posix",
            "platform_machine": machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": full_version,
            "python_version": target.runtime.version,
            "sys_platform": "linux",
        },
    )


@cache
def system_of(runtime: Runtime) -> System:
    """Return what compiled code finds on ``runtime``, one of `RUNTIMES`; libpython is in /var/lang/lib there."""
    system = _SYSTEMS[runtime.minor]
    return System(
        versions=system.versions, libraries=system.libraries | {f"libpython{runtime.version}.so.1.0", "libpython3.so"}
    )


def host_architecture() -> Architecture:
    """Return this machine's architecture, which compiled wheels must match to run here."""
    import platform

    return Architecture.ARM64 if platform.machine().lower() in {"arm64", "aarch64"} else Architecture.X86_64
