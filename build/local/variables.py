"""The environment variables of a worker: Lambda's own, the function's, and what leads its AWS clients to the cloud.

Made from nothing, so nothing of the host reaches a function.
https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
"""

from pathlib import Path

from build.local.deployment import Container, Deployment, LogFormat

ACCESS_KEY_ID = "testing"
SECRET_ACCESS_KEY = "testing"  # noqa: S105 - moto takes any, and this one opens nothing
SESSION_TOKEN = "testing"  # noqa: S105
NOWHERE = "/dev/null"
"""In place of files in the home folder, whose profiles may name real accounts."""

_TRACING = {"AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR", "AWS_XRAY_DAEMON_ADDRESS": "127.0.0.1:2000"}


def worker_variables(
    deployment: Deployment,
    *,
    python: Path,
    runtime_folder: Path,
    temporary: Path | None,
    log_stream: str,
    endpoint: str | None,
) -> dict[str, str]:
    """Return all variables of a worker except AWS_LAMBDA_RUNTIME_API.

    Lambda's reserved ones win over the function's own, its defaults do not. ``HOME``, which Lambda leaves unset, leads
    to the folder ``temporary``, or ``~`` would be the home of the person at this machine; None is for a sandbox.
    """
    return {
        **_defaults(deployment, python, runtime_folder, temporary),
        **deployment.environment,
        **_reserved(deployment, log_stream),
        **_client(endpoint),
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{deployment.runtime}",
        "LAMBDA_RUNTIME_DIR": str(runtime_folder),
        "LAMBDA_TASK_ROOT": str(deployment.task_root),
        "_HANDLER": deployment.handler,
    }


def container_variables(
    deployment: Deployment, container: Container, *, log_stream: str, endpoint: str | None
) -> dict[str, str]:
    """Return all variables of a process in ``container`` except AWS_LAMBDA_RUNTIME_API.

    The image's own come first, the function's win over them, and Lambda's reserved ones over both. What runs the
    handler is the image's business, and so are handler, language and HOME.
    """
    return {
        **_TRACING,
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "LAMBDA_TASK_ROOT": "/var/task",
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        **container.environment,
        **deployment.environment,
        **_reserved(deployment, log_stream),
        **_client(endpoint),
    }


def _defaults(deployment: Deployment, python: Path, runtime_folder: Path, temporary: Path | None) -> dict[str, str]:
    task_root, opt = deployment.task_root, deployment.opt
    libraries = [runtime_folder, runtime_folder / "lib", task_root, task_root / "lib", *([opt / "lib"] if opt else [])]
    if temporary is None:
        libraries = [python.parent.parent / "lib", Path("/lib64"), Path("/usr/lib64"), *libraries]
    programs = [python.parent, "/usr/local/bin", "/usr/bin", "/bin", *([opt / "bin"] if opt else [])]
    return {
        **_TRACING,
        **({"HOME": str(temporary), "TMPDIR": str(temporary)} if temporary else {}),
        "LANG": "en_US.UTF-8",
        "LD_LIBRARY_PATH": ":".join(map(str, libraries)),
        "PATH": ":".join(map(str, programs)),
        "TZ": ":UTC",
    }


def _reserved(deployment: Deployment, log_stream: str) -> dict[str, str]:
    reserved = {
        "AWS_DEFAULT_REGION": deployment.region,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(deployment.memory_mb),
        "AWS_LAMBDA_FUNCTION_NAME": deployment.function_name,
        "AWS_LAMBDA_FUNCTION_VERSION": deployment.version,
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": str(deployment.log_format),
        "AWS_LAMBDA_LOG_GROUP_NAME": deployment.log_group,
        "AWS_LAMBDA_LOG_STREAM_NAME": log_stream,
        "AWS_REGION": deployment.region,
    }
    if deployment.log_format is LogFormat.JSON:
        reserved["AWS_LAMBDA_LOG_LEVEL"] = deployment.log_level or "INFO"
    return reserved


def _client(endpoint: str | None) -> dict[str, str]:
    client = {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
        "AWS_SESSION_TOKEN": SESSION_TOKEN,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": NOWHERE,
        "AWS_SHARED_CREDENTIALS_FILE": NOWHERE,
    }
    if endpoint:
        client["AWS_ENDPOINT_URL"] = endpoint
    return client
