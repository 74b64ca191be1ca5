"""Where the live aliases point, as Lambda says, and pointing them elsewhere."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from build.release.aws import asking
from build.release.rows import Pointed
from build.release.schedule import ALIAS

AT_ONCE = 8
"""Requests side by side. Lambda takes 15 a second: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html."""


def pointed(functions: Mapping[str, str], client: Any) -> dict[str, Pointed]:
    """Return where each alias points; ``functions`` is what each is called on AWS. Left out: what is not deployed."""

    def look(name: str) -> Pointed | None:
        with asking(f"reading the alias of {functions[name]}", hint="run the same command again"):
            try:
                alias = client.get_alias(FunctionName=functions[name], Name=ALIAS)
            except client.exceptions.ResourceNotFoundException:
                return None
        return Pointed(version=str(alias["FunctionVersion"]), weights=weights_of(alias))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        looked = zip(functions, pool.map(look, functions), strict=True)
        return {name: found for name, found in looked if found}


def versions(functions: Mapping[str, str], client: Any) -> dict[str, str]:
    """Return the version that each alias names; as `pointed` otherwise."""
    return {name: each.version for name, each in pointed(functions, client).items()}


def point(client: Any, function: str, version: str, weights: Mapping[str, float], revision: str) -> str:
    """Point the live alias of ``function`` at ``version``, with ``weights`` of others; return its new revision.

    ``revision`` is the one that was read: somebody else's move since is an error of Lambda's, PreconditionFailed.
    """
    where = {"FunctionName": function, "Name": ALIAS}
    routing = {"AdditionalVersionWeights": dict(weights)}
    try:
        answer = client.update_alias(**where, FunctionVersion=version, RoutingConfig=routing, RevisionId=revision)
    except client.exceptions.PreconditionFailedException:
        # A request whose answer was lost is sent again, and finds that it was carried out.
        answer = client.get_alias(**where)
        if (answer["FunctionVersion"], weights_of(answer)) != (version, weights):
            raise
    return str(answer["RevisionId"])


def weights_of(alias: Mapping[str, Any]) -> dict[str, float]:
    """Return the shares of other versions than the one that an alias names, by version; of Lambda's answer."""
    return dict((alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {})
