"""A repository of real zips of which one state was released, and another is planned."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from build import reviews
from build.estate import Estate
from build.model import Architecture, FunctionSpec
from build.release.aws import Aws
from build.release.handoff import digest_of, handoff_of
from build.report import Reporter
from build.results import Plan, Planned, PublishedArtifact, ResourceChange
from build.review.words import Review
from build.store.objects import Store
from tests.checking import Repository

BUCKET = "shop-artifacts"


class Silent(Estate):
    """The way to stacks that no Terraform was asked for."""

    def commands(self, stacks: Any) -> tuple[str, ...]:
        """Return none."""
        return ()


class Shop(Repository):
    """Functions and layers of a shop: `release` what was added, add other things, `review` what would change."""

    def __init__(self, root: Path, architecture: Architecture = Architecture.X86_64) -> None:
        super().__init__(root)
        self.architecture = architecture
        self.store = Store(root / ".artifacts" / "store")
        self.newest: dict[str, Any] | None = None

    def release(self) -> "Shop":
        """Take what was added so far for what runs."""
        handoff = self.planned.handoff
        self.newest = {
            "id": "20260131T120000Z-1a2b3c4d",
            "at": "2026-01-31T12:00:00Z",
            "commit": "a" * 40,
            "dirty": False,
            "handoff": handoff,
            "versions": {},
            "live": dict.fromkeys(handoff["functions"], "1"),
        }
        return self

    def review(self, *, changes: bool = True, forgotten: str = "") -> Review:
        """Return the review of a plan that brings what was added; without ``changes`` one that changes nothing.

        The ledger has not heard of the function ``forgotten``.
        """
        planned = self.planned if changes else replace(self.planned, plans=(Plan(path=Path("plan"), changes=()),))
        if self.newest:
            self.newest["handoff"]["functions"].pop(forgotten, None)
        workspace = planned.workspace
        estate = Silent(workspace=workspace, aws=Aws(env=workspace.env, environ={}), show=Reporter())
        return reviews.review(planned, self.newest, estate, commit="b" * 40)

    @property
    def planned(self) -> Planned:
        """Everything up to the plan, with zips in the store."""
        published = []
        for each in self.build.artifacts:
            place = self.store.artifact(each.digest)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(each.path.read_bytes())
            key = f"{each.place}/{each.digest.hex}.zip"
            published.append(PublishedArtifact(artifact=each, location=key, uploaded=True))
        functions = tuple(map(self._here, self.workspace.functions))
        workspace = replace(self.workspace, functions=functions)
        handoff = handoff_of(workspace, published)
        running = self.newest["handoff"] if self.newest else {"functions": {}, "layers": {}}
        rows = [_row(name, running, handoff) for name in handoff["functions"]]
        document = {"resource_changes": [row for row in rows if row]}
        changes = (ResourceChange(address="a", actions=("update",)),)
        return Planned(
            workspace=workspace,
            published=tuple(published),
            handoff=handoff,
            handoff_digest=digest_of(handoff),
            plans=(Plan(path=Path("plan"), changes=changes, document=document),),
            settled=(),
        )

    def _here(self, spec: FunctionSpec) -> FunctionSpec:
        return replace(spec, target=replace(spec.target, architecture=self.architecture))


def _row(name: str, running: Any, handoff: Any) -> dict[str, Any] | None:
    """Return what Terraform would say of the function ``name``; None if it stays as it is."""
    before, after = (_values(name, each) for each in (running, handoff))
    if before == after:
        return None
    return {
        "address": f'module.lambda_function["{name}"].aws_lambda_function.this',
        "mode": "managed",
        "type": "aws_lambda_function",
        "change": {
            "actions": ["update"] if before else ["create"],
            "before": before,
            "after": after,
            "after_unknown": {},
        },
    }


def _values(name: str, handoff: Any) -> dict[str, Any] | None:
    function = handoff["functions"].get(name)
    return function and {
        "function_name": f"shop-dev-{name}",
        "source_code_hash": function["artifact"]["digest_base64"],
        "layers": [
            handoff["layers"][key]["artifact"]["digest_hex"] if key in handoff["layers"] else key
            for key in function["layers"]
        ],
    }
