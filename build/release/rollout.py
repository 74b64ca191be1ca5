"""Roll out: publish what Terraform deployed, and move each function's ``live`` alias to it.

Outside Terraform and its state lock; Terraform ignores the alias's version and weights.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from build.errors import DriftError, RolledBackError
from build.options import CODEDEPLOY, Shifting
from build.release.aliases import weights_of
from build.release.aws import asking
from build.release.schedule import ALIAS, Move, Smoke
from build.release.shifting import Shift
from build.release.watching import WentWrong
from build.results import DeployedFunction, Outputs, Rollout

_GO_ON = "run the same deploy again: it goes on from here"


def roll_out(
    outputs: Outputs,
    codes: Mapping[str, str],
    released: Mapping[str, str],
    shift: Shift,
    shiftings: Mapping[str, Shifting],
    *,
    smokes: Mapping[str, Smoke],
    places: Mapping[str, Mapping[str, str]] | None = None,
) -> tuple[tuple[Rollout, ...], RolledBackError | None]:
    """Point every live alias at the version of what this checkout holds; tell why, if all of that was undone.

    ``codes`` are what Lambda is to call CodeSha256, by function name, ``released`` the versions of the newest release,
    ``smokes`` the smoke events of those functions that have one. An alias that was moved away from a version after its
    release stays:
    somebody took that version back, and a deploy of another function must not bring it up again. No alias moves before
    every version is there. Raises DriftError if Lambda holds other code than was built.
    """
    rollouts, moves = [], []
    for name, function in sorted(outputs.functions.items()):
        with asking(f"rolling out {function.function_name}", hint=_GO_ON):
            version = _published(function, codes[name], shift.functions, (places or {}).get(name))
            alias = shift.functions.get_alias(FunctionName=function.function_name, Name=ALIAS)
        before = alias["FunctionVersion"]
        stays = version == released.get(name)
        if before == version and not weights_of(alias):
            stays = True
        elif stays:
            shift.on_progress(f"{name}:{ALIAS} stays at version {before}: it left {version} after its release")
        else:
            move = Move(
                function=function,
                before=before,
                after=version,
                revision=alias["RevisionId"],
                shifting=shiftings[name],
                alarms=tuple(outputs.alarms.get(name, ())),
                smoke=smokes.get(name),
                group=outputs.deployment_groups.get(name) if shiftings[name].by == CODEDEPLOY else None,
            )
            moves.append(move)
        rollouts.append(Rollout(function=function, version=version, before=before, live=before if stays else version))
    for move in moves:
        # A version that is still Pending would answer callers with errors.
        with asking(f"waiting for {move.title}", hint=_GO_ON):
            waiter = shift.functions.get_waiter("published_version_active")
            waiter.wait(FunctionName=move.function.function_name, Qualifier=move.after)
    try:
        shift.run(moves)
    except WentWrong as reason:
        return tuple(replace(each, live=each.before) for each in rollouts), _rolled_back(moves, reason, shift.env)
    return tuple(rollouts), None


def _rolled_back(moves: list[Move], reason: WentWrong, env: str) -> RolledBackError:
    facts = [
        f"{move.title} is at version {move.before} again, not {move.after}"
        if move in reason.moved
        else f"{move.title} stayed at version {move.before}: nobody came to {move.after}"
        for move in moves
    ]
    return RolledBackError(
        f"the roll-out went back: {reason.why}",
        facts=[*reason.facts, *facts],
        hint=f"see what failed with `invoke logs -f {reason.function} --env {env}`, mend it, and deploy "
        f"again; or, if the new version is not to blame, run `invoke deploy --env {env} --resume`",
    )


def _published(function: DeployedFunction, code: str, client: Any, place: Mapping[str, str] | None) -> str:
    """Return the version of what Terraform deployed, whose bytes are at ``place`` (S3Bucket and S3Key, or ImageUri).

    Where the update of the code itself was refused, Terraform's state has the new code nevertheless, and no plan ever
    brings it. It is brought here, if what the function holds instead is the code of an earlier version.
    """
    try:
        return _publish(function, code, client)
    except DriftError:
        if not (place and _is_an_earlier_one(function, client)):
            raise
    client.update_function_code(FunctionName=function.function_name, **place)
    client.get_waiter("function_updated_v2").wait(FunctionName=function.function_name)
    return _publish(function, code, client)


def _is_an_earlier_one(function: DeployedFunction, client: Any) -> bool:
    """Tell whether the function holds the code of one of its versions, so that nobody's work is lost with it."""
    now = client.get_function_configuration(FunctionName=function.function_name)["CodeSha256"]
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function.function_name)
    return any(each["CodeSha256"] == now for page in pages for each in page["Versions"] if each["Version"] != "$LATEST")


def _publish(function: DeployedFunction, code: str, client: Any) -> str:
    """Return the version of what Terraform deployed.

    Terraform has published it already, and Lambda then gives that version again. But where an apply ended between its
    update and its publishing, the provider never makes up for it: hashicorp/terraform-provider-aws#49904.
    """
    try:
        answer = client.publish_version(FunctionName=function.function_name, CodeSha256=code)
    except client.exceptions.InvalidParameterValueException as reason:
        raise _drift(function, code, str(reason)) from None
    if answer["CodeSha256"] != code:
        raise _drift(function, code, f"got CodeSha256 {answer['CodeSha256']}")
    return str(answer["Version"])


def _drift(function: DeployedFunction, code: str, got: str) -> DriftError:
    return DriftError(
        f"{function.function_name} holds other code than was deployed: changed by hand, or by another deploy",
        facts=[f"expected CodeSha256 {code}", got],
        hint="the live aliases were left alone; run the deploy again, and see in CloudTrail who changed the function",
    )
