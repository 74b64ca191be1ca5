"""Where the live aliases point, as Lambda says."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from build.release.aws import asking
from build.release.rows import Pointed
from build.release.shifting import ALIAS, weights_of

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
