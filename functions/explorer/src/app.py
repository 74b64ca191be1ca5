"""Reports its execution environment; installs a distribution into it when asked."""

import itertools
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from installer import install

# By name, one by one: the environment also holds the credentials of the role.
SHOWN = (
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_REGION",
    "LAMBDA_TASK_ROOT",
    "LANG",
    "TZ",
    "_HANDLER",
)

_invocations = itertools.count(1)


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Report the environment; first install `event["install"]`, such as `toolz==1.0.0`, if it is there."""
    invocation = next(_invocations)
    installed = install(event["install"]) if "install" in event else None
    return {
        "start": "cold" if invocation == 1 else "hot",
        "invocation": invocation,
        "artifact_digest": os.environ.get("SLIPWAY_ARTIFACT_DIGEST"),
        "interpreter": {"version": sys.version, "executable": sys.executable},
        "sys_path": sys.path,
        "layers": layers(),
        "tmp": {"path": tempfile.gettempdir(), "free_bytes": shutil.disk_usage(tempfile.gettempdir()).free},
        "environment": {name: os.environ[name] for name in SHOWN if name in os.environ},
        "installed": installed,
    }


def layers() -> dict[str, list[str]]:
    """Return what Lambda layers brought, by the folder of /opt in which Python finds it."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    # Only how they end is sure: outside Lambda, what stands in for /opt has another name.
    ends = ("/python", f"/python/lib/{version}/site-packages")
    folders = [Path(entry) for entry in sys.path if entry.endswith(ends) and Path(entry).is_dir()]
    return {str(folder): sorted(path.name for path in folder.iterdir()) for folder in folders}
