"""What makes a plan worth a look, or dangerous. docs/reference/plan-review.md has the same table."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from build.review.changes import SENSITIVE, Change, CodeChange, FunctionReview, LayerReview, SettingChange
from build.review.drift import has_foreign_code
from build.review.grouping import dependencies_of
from build.review.kinds import rule_of
from build.review.words import Drift, Grant, Loss, Reason, Review, Verdict
from build.rules.arns import FOREIGN_LAYER


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of the verdict."""

    verdict: Verdict
    when: str
    """When it holds, as the documentation says it."""


def _rules(verdict: Verdict, **when: str) -> dict[str, Rule]:
    return {name.replace("_", "-"): Rule(verdict=verdict, when=text) for name, text in when.items()}


RULES = {
    **_rules(
        Verdict.DANGEROUS,
        plan_incomplete="Terraform could not finish the plan, or left a part of it for later",
        check_failed="a condition does not hold, such as that the bucket has the bytes that were built",
        other_handoff="the plan was made for another hand-off than this one: other artifacts, or other settings",
        data_lost="something that holds data is destroyed or replaced: a queue, table, bucket, log group, stream, …",
        versions_lost="a function, an alias or a layer version is destroyed or replaced, and with it the way back",
        address_lost="an HTTP API, a function URL or a topic is destroyed or replaced: nobody gets its address again",
        made_public="anyone reaches what nobody but callers with credentials reached before, or what was not there",
        wildcard_gained="a role gains all actions, all of a service, all resources, or a wildcard without a reason",
        trust_widened="another account, another identity provider, or anyone may take a role",
        boundary_removed="a role is no longer bounded by its permissions boundary",
        protection_removed="encryption, versioning, deletion protection or the check of code signatures goes",
        code_outside="a function runs other code than was deployed",
        access_outside="somebody gained a permission, or anyone, outside Terraform",
    ),
    **_rules(
        Verdict.LOOK,
        destroyed="something is destroyed or replaced that holds nothing: a route, a rule, a role, an alarm",
        deleted_outside="something was deleted outside Terraform",
        drift="something was changed outside Terraform",
        iam_gained="a role gains a permission, a managed policy, or a service that may take it",
        wildcard_explained="a role gains a wildcard below a name, or one with a reason in function.toml",
        permissions_unclear="a policy cannot be read before the apply, or is sensitive",
        boundary_changed="a role gets another permissions boundary",
        access_gained="somebody may use a function, queue, topic, bucket or key who might not before",
        retention_shortened="log lines, messages or records are kept for a shorter time",
        interruption="callers or triggers may notice the apply",
        taken_back="a version of the function was taken back, and the deploy brings it forward again",
        function_added="a function is new",
        trigger_added="a function gets a trigger, be it an endpoint that asks for credentials",
        trigger_changed="a trigger has other settings, or is made anew",
        trigger_removed="a function loses a trigger",
        setting="a setting of a function changes that decides how it runs: memory_mb, timeout_s, runtime, network, …",
        environment="environment variables come, go or change",
        dependency_major="a distribution has another major version, or goes back to an older one",
        dependency_added="a distribution is new",
        code_unknown="code changes, and what runs now could not be read to compare",
        foreign_layer="a layer that is not of this repository comes, goes or has another version",
        other_resource="a resource changes that Slipway knows nothing about",
        adopted="Terraform takes charge of a resource, or forgets one",
    ),
    **_rules(
        Verdict.SAFE,
        code="own files change",
        dependency="distributions have another minor or patch version, other files, or go",
        harmless_setting="a setting changes that decides nothing: description, log levels, longer retention, tracing",
        permissions_lost="somebody loses a permission",
        resource="a resource changes that no other rule is about",
        moved="a resource has another address in Terraform",
        output="only outputs of Terraform change",
    ),
}
"""By name."""

_ATTRIBUTE = re.compile(r"(?!tags\b)\S+ changed")
"""Says that an attribute of the function itself changes, for which function.toml has no word."""
_HARMLESS = frozenset("description log_level system_log_level tracing".split())


def reason(rule: str, subject: str, text: str) -> Reason:
    """Return the reason that ``rule`` gives; its verdict is the rule's."""
    return Reason(rule=rule, verdict=RULES[rule].verdict, subject=subject, text=text)


def reasons_of(review: Review, others: Iterable[Reason]) -> tuple[Reason, ...]:
    """Return why ``review`` is what it is, the worst first; ``others`` are those that its parts do not show."""
    told = [
        *others,
        *(_of_loss(each) for each in review.losses if each.lost),
        *(reason("made-public", each.subject, each.text) for each in review.public),
        *(each for grant in review.grants for each in _of_grant(grant, review)),
        *(_of_drift(each) for each in review.drift),
        *(
            reason("access-outside", g.subject, f"{g.sentence}, by somebody outside Terraform")
            for d in review.drift
            for g in d.grants
            if g.gained
        ),
        *(reason("interruption", each.subject, each.text) for each in review.interruptions),
        *(each for function in review.functions for each in _of_function(function)),
        *(each for layer in review.layers for each in _of_layer(layer)),
    ]
    looked_at = {each.subject for each in told if each.verdict is not Verdict.SAFE}
    told += [_of_loss(each) for each in review.losses if not each.lost and each.subject not in looked_at]
    found = [*told, *_of_resources(review, {each.subject for each in told})]
    order = list(RULES)
    return tuple(sorted(dict.fromkeys(found), key=lambda each: (order.index(each.rule), each.subject, each.text)))


def worst(reasons: Iterable[Reason]) -> Verdict:
    """Return the verdict that ``reasons`` give; safe if there is none."""
    return max((each.verdict for each in reasons), key=lambda verdict: verdict.rank, default=Verdict.SAFE)


def fails(review: Review, on: str = Verdict.LOOK) -> bool:
    """Tell whether a gate stops: a reason is as bad as ``on``, or worse. With ``safe`` any change stops it."""
    return any(each.verdict.rank >= Verdict(on).rank for each in review.reasons)


def _of_loss(loss: Loss) -> Reason:
    does = "is made anew" if loss.replaced else "is destroyed"
    lost = f", and with it {' and '.join(loss.lost)}" if loss.lost else ""
    why = f" ({'; '.join(loss.why)})" if loss.why else ""
    return reason(rule_of(loss.kind), loss.subject, f"{f'{loss.kind} {loss.name}'.strip()} {does}{lost}{why}")


def _of_grant(grant: Grant, review: Review) -> Iterator[Reason]:
    if not grant.gained:
        yield reason("permissions-lost", grant.subject, grant.sentence)
        return
    if _is_ordinary(grant, review):
        return
    because = f"; the reason given: {grant.reason}" if grant.reason else ""
    yield reason(_rule_of_grant(grant), grant.subject, _said(grant) + because)


def _said(grant: Grant) -> str:
    """Return what a grant says beside its subject."""
    return grant.text if grant.who == grant.subject else grant.sentence


def _rule_of_grant(grant: Grant) -> str:
    if grant.is_public:
        return "made-public"
    if grant.kind == "boundary":
        return "boundary-removed" if grant.is_wide else "boundary-changed"
    if not grant.resources and not grant.actions:
        return "permissions-unclear"
    match grant.kind:
        case "resource":
            return "access-gained"
        case "trust" if not grant.who.endswith(".amazonaws.com"):
            return "trust-widened"
    wild = "wildcard-gained" if grant.is_wide else "wildcard-explained"
    return wild if grant.wildcards else "iam-gained"


def _is_ordinary(grant: Grant, review: Review) -> bool:
    """Tell whether every new function gets this: to write its own log lines."""
    logs = {"logs:CreateLogStream", "logs:PutLogEvents"}
    added = {each.subject: each.function_name for each in review.functions if each.change is Change.ADDED}
    own = f":log-group:/aws/lambda/{added.get(grant.subject)}:*"
    return {*grant.actions} <= logs and bool(grant.resources) and all(each.endswith(own) for each in grant.resources)


def _of_drift(drift: Drift) -> Reason:
    what = f"{drift.kind} {drift.name}".strip()
    undone = "; this plan touches it, too" if drift.is_undone else "; this plan leaves it so"
    if drift.change is Change.REMOVED:
        return reason("deleted-outside", drift.subject, f"{what} was deleted outside Terraform{undone}")
    rule = "code-outside" if has_foreign_code(drift) else "drift"
    text = f"{what} was changed outside Terraform ({', '.join(drift.attributes)}){undone}"
    return reason(rule, drift.subject, text)


def _of_function(function: FunctionReview) -> Iterator[Reason]:
    subject = function.subject
    if function.change is Change.ADDED:
        yield reason("function-added", subject, "the function is new")
    if function.code and function.change not in (Change.ADDED, Change.REMOVED):
        yield from _of_code(subject, function.code)
    for setting in function.settings:
        yield reason("harmless-setting" if _is_harmless(setting) else "setting", subject, setting.text)
    for key in function.environment:
        yield reason("environment", subject, f"environment {key.text}")
    for trigger in function.triggers:
        rules = {Change.ADDED: "trigger-added", Change.REMOVED: "trigger-removed"}
        yield reason(rules.get(trigger.change, "trigger-changed"), subject, trigger.text)
    for text in function.others:
        yield reason("setting" if _ATTRIBUTE.fullmatch(text) else "resource", subject, text)
    for layer in function.layers:
        if layer.name.startswith(FOREIGN_LAYER) and function.change is Change.CHANGED:
            yield reason("foreign-layer", subject, f"layer {layer.text}")


def _of_layer(layer: LayerReview) -> Iterator[Reason]:
    found = dependencies_of(layer.code, layer.change)
    if found and layer.change is Change.ADDED:
        yield reason("dependency-added", layer.subject, f"{found[0]} in a new layer")
    elif layer.code:
        yield from _of_code(layer.subject, layer.code)


def _of_code(subject: str, code: CodeChange) -> Iterator[Reason]:
    if not code.is_known and code.before_digest and code.after_digest:
        yield reason("code-unknown", subject, "code changes, and what runs now could not be read to compare")
    if code.files:
        counts = ", ".join(f"{code.count(each)} {each}" for each in Change if code.count(each))
        yield reason("code", subject, f"own files: {counts}")
    for each in code.dependencies:
        if each.step == "added":
            rule = "dependency-added"
        else:
            rule = "dependency-major" if each.step == "major" or each.step.endswith(" down") else "dependency"
        yield reason(rule, subject, each.text)


def _is_harmless(setting: SettingChange) -> bool:
    if setting.name == "log_retention_days" and setting.before:
        return setting.after is None or int(setting.after) > int(setting.before)
    return setting.name in _HARMLESS and setting.before != SENSITIVE


def _of_resources(review: Review, told: set[str]) -> Iterator[Reason]:
    """Yield a reason for what nothing is said about in ``told``: nothing in a plan is without one."""
    for each in review.resources:
        if each.change is Change.MOVED:
            yield reason("moved", each.subject, f"{each.moved_from} becomes {each.address}")
        elif each.change in (Change.IMPORTED, Change.FORGOTTEN):
            yield reason("adopted", each.subject, f"{f'{each.kind} {each.name}'.strip()} {each.change}")
        elif each.kind.startswith("aws_") or "_" in each.kind:
            paths = f" ({', '.join(each.attributes)})" if each.attributes else ""
            yield reason("other-resource", each.subject, f"{f'{each.kind} {each.name}'.strip()} {each.change}{paths}")
        elif each.subject not in told:
            name = "" if each.subject.startswith(("functions/", "layers/")) else f" {each.name}".rstrip()
            paths = f" ({', '.join(each.attributes)})" if each.attributes else ""
            yield reason("resource", each.subject, f"{each.kind}{name} {each.change}{paths}")
    if not review.resources:
        for output in review.outputs:
            yield reason("output", "outputs", output.text)
