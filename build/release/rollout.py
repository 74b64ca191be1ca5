"""Roll out: move each function's ``live`` alias to the version Terraform published.

Outside Terraform and its state lock; Terraform ignores the alias's version and weights.
"""

from collections.abc import Callable
from typing import Any

from build.release.aws import refused
from build.results import DeployedFunction, Outputs, Rollout

ALIAS = "live"


def roll_out(outputs: Outputs, client: Any, *, on_progress: Callable[[str], None]) -> tuple[Rollout, ...]:
    """Point every live alias at its newest version, all at once; return what moved and what was there already."""
    return tuple(_roll_out(function, client, on_progress) for _, function in sorted(outputs.functions.items()))


def _roll_out(function: DeployedFunction, client: Any, on_progress: Callable[[str], None]) -> Rollout:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        alias = client.get_alias(FunctionName=function.function_name, Name=ALIAS)
        before = alias["FunctionVersion"]
        weights = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights")
        moved = before != function.version or bool(weights)
        if moved:
            on_progress(f"moving {function.name}:{ALIAS} from version {before} to {function.version}")
            # A version that is still Pending would answer callers with errors.
            waiter = client.get_waiter("published_version_active")
            waiter.wait(FunctionName=function.function_name, Qualifier=function.version)
            client.update_alias(
                FunctionName=function.function_name,
                Name=ALIAS,
                FunctionVersion=function.version,
                RoutingConfig={"AdditionalVersionWeights": {}},
                RevisionId=alias["RevisionId"],
            )
    except (BotoCoreError, ClientError) as reason:
        raise refused(
            f"moving the alias {ALIAS} of {function.function_name}", reason, hint="run the same deploy again"
        ) from None
    return Rollout(function=function, before=before, after=function.version, moved=moved)
