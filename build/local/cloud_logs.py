"""Writes what functions log into CloudWatch Logs of the embedded cloud."""

from collections.abc import Sequence

from build.local.deployment import Deployment, LogLine


def write(deployment: Deployment, stream: str, lines: Sequence[LogLine]) -> None:
    """Append ``lines`` to ``stream``; it and the log group are made if they are missing, as Lambda does.

    Not after the function was deleted: the group would be in the way of the next deploy.
    """
    from moto.awslambda.models import lambda_backends
    from moto.logs.models import logs_backends

    logs = logs_backends[deployment.account_id][deployment.region]
    group = logs.groups.get(deployment.log_group)
    if group is None or stream not in group.streams:
        functions = lambda_backends[deployment.account_id][deployment.region].list_functions()
        if deployment.function_name not in {function.function_name for function in functions}:
            return
        logs.ensure_log_group(deployment.log_group)
        logs.ensure_log_stream(deployment.log_group, stream)
    events = [{"timestamp": line.timestamp_ms, "message": line.message} for line in lines]
    logs.put_log_events(deployment.log_group, stream, events)
