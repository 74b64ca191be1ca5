"""Starts the AWS provider before Terraform does, and has Terraform use it.

Before every command that needs providers Terraform digests all their bytes, 700 MB for AWS's, and compares them with
the lock: of a plan of ten functions these were 1.3 of 3.9 s. It does not for a provider that it did not start, which
is how providers are debugged: https://developer.hashicorp.com/terraform/plugin/debugging
`init` has compared the same file with the lock; `installed` tells whether it was touched since.
"""

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from build import process

_GREETING = {
    "TF_PLUGIN_MAGIC_COOKIE": "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2",
    "PLUGIN_PROTOCOL_VERSIONS": "5",
}
"""Without these a provider says that it is not for people. From Terraform's plugin protocol, the same for everybody."""
_LOGS = ("SDK", "SDK_PROTO", "SDK_MUX", "SDK_FRAMEWORK", "SDK_HELPER_SCHEMA", "SDK_HELPER_RESOURCE", "PROVIDER_AWS")
_QUIET = {f"TF_LOG_{name}": "OFF" for name in _LOGS}
"""It logs every step, some MB a plan, for Terraform to drop."""
_ANSWER = re.compile(r"^1\|5\|unix\|(?P<socket>[^|]+)\|grpc\|", re.MULTILINE)
_CONFIGURED = re.compile(rb'^\s*"?provider"?\s*("|:)', re.MULTILINE)
"""A block of a provider's configuration; in JSON it may hold several."""
_START_S = 5.0
"""How long its answer is waited for, in seconds; it takes 0.1."""
_LOOK_S = 0.01


def installed(data: Path) -> tuple[Path, ...]:
    """Return the programs of the providers that Terraform has installed in ``data``, its data folder."""
    return tuple(sorted((data / "providers").glob("*/*/*/*/*/terraform-provider-*")))


@contextmanager
def attached(data: Path, root: Path, environ: Mapping[str, str], *, log: Path) -> Iterator[Mapping[str, str]]:
    """Run the AWS provider that is installed in ``data``; give the variables that lead Terraform to it.

    None, and Terraform starts it as ever, where the provider could outlive us (without Linux's ``setpriv``), where its
    log is wanted, and where ``root`` configures it more than once: one process has one configuration.
    """
    tie = shutil.which("setpriv", path=environ.get("PATH"))
    programs = [each for each in installed(data) if each.name.startswith("terraform-provider-aws_")]
    wanted = tie and len(programs) == 1 and not any(name.startswith("TF_LOG") for name in environ)
    if not (tie and wanted and _is_configured_once(data, root)):
        yield {}
        return
    log.unlink(missing_ok=True)
    argv = [tie, "--pdeathsig", "KILL", "--", str(programs[0])]
    child = process.start(argv, env={**environ, **_QUIET, **_GREETING}, log=log, detached=True)
    place = ""
    try:
        place = _place(lambda: child.poll() is None, log)
        yield _variables(programs[0], child.pid, place) if place else {}
    finally:
        child.kill()  # it holds nothing: what it was asked, it has answered
        child.wait()
        if place:
            with suppress(OSError):
                Path(place).unlink()


def _place(runs: Callable[[], bool], log: Path) -> str:
    """Return the socket that the provider listens on; nothing if it does not start."""
    end = time.monotonic() + _START_S
    while runs() and time.monotonic() < end:
        answer = _ANSWER.search(log.read_text("utf-8", "replace"))
        if answer:
            return answer["socket"]
        time.sleep(_LOOK_S)
    return ""


def _variables(program: Path, pid: int, place: str) -> dict[str, str]:
    host, namespace, name = program.parts[-6:-3]
    address = {"Network": "unix", "String": place}
    # `Test` is the protocol's word for: somebody else ends it.
    reached = {"Protocol": "grpc", "ProtocolVersion": 5, "Pid": pid, "Test": True, "Addr": address}
    return {"TF_REATTACH_PROVIDERS": json.dumps({f"{host}/{namespace}/{name}": reached})}


def _is_configured_once(data: Path, root: Path) -> bool:
    """Tell whether all modules below ``root``, and those fetched into ``data``, configure one provider in all."""
    configured = 0
    for folder in (root, data / "modules"):
        for parent, folders, names in os.walk(folder):
            folders[:] = [each for each in folders if each not in {"bootstrap", "tests"}]
            for name in names:
                if name.endswith(".tf.json"):
                    configured += 2 * len(_CONFIGURED.findall(Path(parent, name).read_bytes()))
                elif name.endswith(".tf"):
                    configured += len(_CONFIGURED.findall(Path(parent, name).read_bytes()))
    return configured == 1
