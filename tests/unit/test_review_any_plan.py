"""A plan of any shape gives a review: providers change, and a team's own resources are like none of ours."""

import json
import random
from typing import Any

import pytest

from build.review import kinds, reading
from build.review.markdown import LIMIT, markdown
from build.review.reviewing import review_of
from build.review.shapes import to_json
from build.review.terminal import lines

TYPES = [*kinds._KINDS, "aws_security_group", "aws_s3_bucket_acl", "aws_mystery"]
NAMES = sorted(
    {part for words in reading.FUNCTION_WORDS.values() for path in words for part in path.split(".")}
    | {
        *"""policy assume_role_policy role name rule route_key environment variables layers tags function_name principal
    action source_arn policy_arn inline_policy managed_policy_arns permissions_boundary event_source_arn ingress bucket
    lambda_function redrive_policy source_code_hash code_sha256 image_uri dimensions authorization_type acl arn
    provisioned_concurrent_executions shard_count scaling_config kms_key_id cidr_blocks skip_destroy""".split()
    }
)
TEXTS = [
    "",
    "NONE",
    "shop-prod-orders",
    "arn:aws:lambda:eu-central-1:123456789012:function:shop-prod-orders:live",
    '{"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}',
    '{"Statement": {"Effect": "Deny", "NotAction": "x", "NotPrincipal": "1", "Condition": {"B": {"a": true}}}}',
    '{"Statement": [1, {"Effect": "Allow", "Principal": ["a"], "Condition": []}]}',
    "{",
]
HANDOFF = {
    "name": "shop",
    "env": "prod",
    "functions": {
        "orders": {"permissions": [{"actions": ["*"], "resources": ["*"], "reason": "r"}], "layers": ["data"]}
    },
    "layers": {"data": {}},
}


class Shapes:
    """Gives values at random, the same ones for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def value(self, depth: int = 0) -> Any:
        choice = self._random.random()
        if choice < 0.4:
            return self._random.choice([None, True, False, 0, -1, 1, 512, 30.5])
        if choice < 0.7 or depth > 2:
            return self._random.choice(TEXTS)
        return [self.value(depth + 1) for _ in range(2)] if choice < 0.85 else self.table(depth + 1)

    def table(self, depth: int = 0) -> dict[str, Any]:
        return {self._random.choice(NAMES): self.value(depth) for _ in range(self._random.randint(0, 10))}

    def side(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return values, and flags for those that are sensitive, which hold canaries."""
        values = self.table()
        hidden = {name for name in values if self._random.random() < 0.2}
        return {k: "canary" if k in hidden else v for k, v in values.items()}, dict.fromkeys(hidden, True)

    def entry(self, number: int) -> dict[str, Any]:
        (before, hidden), (after, hidden_too) = self.side(), self.side()
        actions = self._random.choice(["create", "delete", "update", "delete create", "no-op", "forget"]).split()
        kind = self._random.choice(TYPES)
        where = self._random.choice(['module.lambda_function["orders"].', 'module.queue_trigger["orders/in"].', ""])
        change = {
            "actions": actions,
            "before": None if actions == ["create"] else before,
            "after": None if actions in (["delete"], ["forget"]) else after,
            "before_sensitive": self._random.choice([hidden, True]) if hidden else {},
            "after_sensitive": hidden_too,
            "after_unknown": {name: True for name in after if self._random.random() < 0.1},
            "replace_paths": [["a", 0, "b"]],
        }
        return {"address": f"{where}{kind}.t{number}", "mode": "managed", "type": kind, "change": change}


@pytest.mark.parametrize("seed", range(60))
def test_a_plan_of_any_shape_gives_a_review_without_a_secret(seed):
    shapes = Shapes(seed)
    plan = {
        "resource_changes": [shapes.entry(n) for n in range(6)],
        "resource_drift": [shapes.entry(n) for n in range(3)],
    }
    given = review_of(plans={"": plan}, after=HANDOFF, before=None, at="2026-02-03T10:11:12Z")
    texts = ["\n".join(lines(given)), markdown(given), json.dumps(to_json(given))]
    assert len(texts[1]) <= LIMIT
    assert "canary" in json.dumps(plan)
    assert not any("canary" in text for text in texts)
