"""The table of rules, and `check`, which applies it."""

from dataclasses import dataclass

from build.checks import handlers, limits, provider, sources
from build.checks.problem import Rule
from build.model import Build, Finding, Severity, Workspace


@dataclass(frozen=True, slots=True)
class Row:
    """One rule: its id, how much it matters, and what decides."""

    id: str
    severity: Severity
    rule: Rule


RULES = (
    Row("empty-artifact", Severity.ERROR, limits.empty_artifact),
    Row("function-size", Severity.ERROR, limits.function_size),
    Row("layer-size", Severity.ERROR, limits.layer_size),
    Row("layer-count", Severity.ERROR, limits.layer_count),
    Row("environment-size", Severity.ERROR, limits.environment_size),
    Row("policy-size", Severity.ERROR, limits.policy_size),
    Row("runtime-provider", Severity.WARNING, provider.runtime_unknown),
    Row("http-timeout", Severity.WARNING, limits.http_timeout),
    Row("queue-concurrency", Severity.WARNING, limits.queue_concurrency),
    Row("handler-module", Severity.ERROR, handlers.module_missing),
    Row("handler-unseen", Severity.WARNING, handlers.module_unseen),
    Row("handler-function", Severity.ERROR, handlers.function_missing),
    Row("handler-async", Severity.ERROR, handlers.asynchronous),
    Row("handler-arguments", Severity.ERROR, handlers.arguments),
    Row("stdlib-shadowed", Severity.WARNING, sources.stdlib_shadowed),
)


def check(workspace: Workspace, build: Build) -> tuple[Finding, ...]:
    """Return every finding, errors first, then by subject.

    Only settings, artifacts and source files are read, nothing is imported or run. What ``build``
    does not hold is not judged: with an empty one, the rules about settings and sources still are.
    """
    findings = [
        Finding(rule=row.id, severity=row.severity, subject=found.subject, message=found.message, hint=found.hint)
        for row in RULES
        for found in row.rule(workspace, build)
    ]
    return tuple(sorted(findings, key=lambda finding: (finding.severity, finding.subject, finding.rule)))
