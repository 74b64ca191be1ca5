"""Roll out: publish what Terraform deployed, and move each function's ``live`` alias to it.

Outside Terraform and its state lock; Terraform ignores the alias's version and weights.
"""

from collections.abc import Callable, Mapping
from typing import Any

from build.digest import Digest
from build.errors import DriftError
from build.release.aws import asking
from build.results import DeployedFunction, Outputs, Rollout

ALIAS = "live"


def roll_out(
    outputs: Outputs,
    digests: Mapping[str, Digest],
    released: Mapping[str, str],
    client: Any,
    *,
    on_progress: Callable[[str], None],
) -> tuple[Rollout, ...]:
    """Point every live alias at the version of what this checkout holds, all at once.

    ``digests`` are the artifacts' by function name, ``released`` the versions of the newest release. An alias that
    was moved away from a version after its release stays: somebody took that version back, and a deploy of another
    function must not bring it up again. Raises DriftError if Lambda holds other code than was built.
    """
    rollouts = []
    for name, function in sorted(outputs.functions.items()):
        with asking(f"rolling out {function.function_name}", hint="run the same deploy again: it goes on from here"):
            version = _published(function, digests[name], client)
            rollouts.append(_moved(function, version, released.get(name), client, on_progress))
    return tuple(rollouts)


def _published(function: DeployedFunction, digest: Digest, client: Any) -> str:
    """Return the version of what Terraform deployed.

    Terraform has published it already, and Lambda then gives that version again. But where an apply ended between its
    update and its publishing, the provider never makes up for it: hashicorp/terraform-provider-aws#49904.
    """
    try:
        answer = client.publish_version(FunctionName=function.function_name, CodeSha256=digest.base64)
    except client.exceptions.InvalidParameterValueException as reason:
        raise _drift(function, digest, str(reason)) from None
    if answer["CodeSha256"] != digest.base64:
        raise _drift(function, digest, f"got CodeSha256 {answer['CodeSha256']}")
    return str(answer["Version"])


def _drift(function: DeployedFunction, digest: Digest, got: str) -> DriftError:
    return DriftError(
        f"{function.function_name} holds other code than was deployed: changed by hand, or by another deploy",
        facts=[f"expected CodeSha256 {digest.base64}", got],
        hint="the live alias was left alone; run the deploy again, and see in CloudTrail who changed the function",
    )


def _moved(
    function: DeployedFunction, version: str, released: str | None, client: Any, on_progress: Callable[[str], None]
) -> Rollout:
    alias = client.get_alias(FunctionName=function.function_name, Name=ALIAS)
    before = alias["FunctionVersion"]
    weights = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights")
    if before == version and not weights:
        return Rollout(function=function, version=version, before=before, live=version)
    if version == released:
        on_progress(
            f"{function.name}:{ALIAS} stays at version {before}: it was moved there after {version} was released"
        )
        return Rollout(function=function, version=version, before=before, live=before)
    on_progress(f"moving {function.name}:{ALIAS} from version {before} to {version}")
    # A version that is still Pending would answer callers with errors.
    client.get_waiter("published_version_active").wait(FunctionName=function.function_name, Qualifier=version)
    client.update_alias(
        FunctionName=function.function_name,
        Name=ALIAS,
        FunctionVersion=version,
        RoutingConfig={"AdditionalVersionWeights": {}},
        RevisionId=alias["RevisionId"],
    )
    return Rollout(function=function, version=version, before=before, live=version)
