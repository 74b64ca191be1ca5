"""What Lambda holds of functions: every version, with its code and layers, and where the aliases point."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from build.release.aliases import AT_ONCE, weights_of
from build.release.aws import asking
from build.release.rows import Pointed
from build.release.schedule import ALIAS

LATEST = "$LATEST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version of a function, or what is not published yet."""

    code: str
    """CodeSha256: of a zip its digest in base64, of an image that of the image in hex."""
    size_bytes: int
    """Of the code alone, as Lambda counts it."""
    at: str
    """ISO 8601: when it was changed last, which for a version is when it was published."""
    layers: tuple[str, ...] = ()
    """ARNs of layer versions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployed:
    """A function as it is."""

    versions: Mapping[str, Version]
    """By number; `LATEST`, too."""
    aliases: Mapping[str, Pointed]

    @property
    def live(self) -> Pointed | None:
        """Where callers go; None if somebody took the alias away."""
        return self.aliases.get(ALIAS)

    @property
    def newest(self) -> str:
        """The highest number; empty before the first version."""
        return max((number for number in self.versions if number != LATEST), key=int, default="")


def deployed(functions: Mapping[str, str], client: Any) -> dict[str, Deployed]:
    """Return what is there; ``functions`` is what each is called on AWS. Left out: what is not deployed.

    Takes two requests for each function, and one more for every 50 of its versions; eight are under way at once.
    """

    def look(name: str) -> Deployed | None:
        with asking(f"reading {functions[name]}", hint="run the same command again"):
            try:
                given = {"FunctionName": functions[name]}
                pages = client.get_paginator("list_versions_by_function").paginate(**given)
                versions = {each["Version"]: _version(each) for page in pages for each in page["Versions"]}
                return Deployed(versions=versions, aliases=aliases_of(functions[name], client))
            except client.exceptions.ResourceNotFoundException:
                return None

    with ThreadPoolExecutor(AT_ONCE) as pool:
        looked = zip(functions, pool.map(look, functions), strict=True)
        return {name: found for name, found in looked if found}


def aliases_of(function: str, client: Any) -> dict[str, Pointed]:
    """Return where each alias of ``function`` points."""
    pages = client.get_paginator("list_aliases").paginate(FunctionName=function)
    aliases: Iterable[Mapping[str, Any]] = (each for page in pages for each in page["Aliases"])
    return {each["Name"]: Pointed(version=str(each["FunctionVersion"]), weights=weights_of(each)) for each in aliases}


def _version(answer: Mapping[str, Any]) -> Version:
    return Version(
        code=str(answer["CodeSha256"]),
        size_bytes=int(answer.get("CodeSize", 0)),
        at=str(answer["LastModified"]),
        layers=tuple(each["Arn"] for each in answer.get("Layers", ())),
    )
