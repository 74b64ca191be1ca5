"""What is running here: one JSON line per execution environment."""

import json
import os
import sys
from importlib.metadata import PackageNotFoundError, version


def cold_start(*distributions: str) -> None:
    """Write one JSON line with function, version, artifact digest, runtime and the versions of `distributions`.

    Call it while the handler's module loads: Lambda loads it once per execution environment, so
    once per cold start. A distribution that is not there has the version null.
    """
    line = {
        "event": "cold start",
        "function": os.environ.get("AWS_LAMBDA_FUNCTION_NAME"),
        "version": os.environ.get("AWS_LAMBDA_FUNCTION_VERSION"),
        "artifact_digest": os.environ.get("SLIPWAY_ARTIFACT_DIGEST"),
        "runtime": f"python{sys.version_info.major}.{sys.version_info.minor}",
        "distributions": {name: _version(name) for name in distributions},
    }
    # One write for the line and its end, so that no other line can come between.
    sys.stdout.write(json.dumps(line) + "\n")


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
