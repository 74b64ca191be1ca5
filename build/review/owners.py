"""Whose a resource is: a function's, a Lambda layer's, or nobody's but Terraform's."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from build.review.plans import Row, first

_FUNCTION = re.compile(r":function:([A-Za-z0-9_-]+)")
_LOGS = "/aws/lambda/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owners:
    """What is told from names: addresses have the folder's name as key, AWS names have it after a prefix."""

    prefix: str
    """``slipway-prod``."""
    functions: frozenset[str]
    """Names of all that are or were."""
    layers: frozenset[str]
    """Keys of all that are or were."""
    by_name: Mapping[tuple[str, str], str]
    """Function by kind and name of what leads to it: ``("route", "GET /tea")``."""

    def subject_of(self, row: Row) -> str:
        """Return ``functions/orders``, ``layers/data``, else the address after the stack's name."""
        if (layer := self.layer_of(row)) is not None:
            return f"layers/{layer}"
        function = self.function_of(row)
        return f"functions/{function}" if function is not None else row.label

    def subject_at(self, stack: str, address: str) -> str:
        """Return the subject for the address of something that is no resource, such as a check."""
        for key in re.findall(r'\["([^"]+)"\]', address):
            if key.startswith(("functions/", "layers/")):
                return str(key)
            if key.partition("/")[0] in self.functions:
                return f"functions/{key.partition('/')[0]}"
        return f"{stack}: {address}" if stack else address

    def layer_of(self, row: Row) -> str | None:
        """Return the key of the layer that ``row`` is a version of."""
        if row.type != "aws_lambda_layer_version":
            return None
        keys = [*row.keys, str(row.now.get("layer_name", "")).removeprefix(f"{self.prefix}-")]
        return next((key for key in keys if key in self.layers), None)

    def function_of(self, row: Row) -> str | None:
        """Return the name of the function that ``row`` belongs to."""
        for key in row.keys:
            if key.partition("/")[0] in self.functions:
                return key.partition("/")[0]
        for kind, attribute in (("route", "route_key"), ("rule", "name"), ("rule", "rule")):
            if (owner := self.by_name.get((kind, str(row.now.get(attribute))))) is not None:
                return owner
        if row.type == "aws_apigatewayv2_integration" and row.keys and ("route", row.keys[-1]) in self.by_name:
            return self.by_name["route", row.keys[-1]]
        return next((name for each in (row.after, row.before) for name in self._named(each)), None)

    def named(self, aws_name: str) -> str | None:
        """Return the function that is called ``aws_name`` on AWS, or whose ARN it is."""
        match = _FUNCTION.search(aws_name)
        name = (match[1] if match else aws_name.removeprefix(_LOGS)).removeprefix(f"{self.prefix}-")
        return name if name in self.functions and (match or self.prefix in aws_name) else None

    def _named(self, values: Mapping[str, Any]) -> Iterator[str]:
        dimensions = values.get("dimensions")
        said = [dimensions.get("FunctionName")] if isinstance(dimensions, Mapping) else []
        said += [values.get(each) for each in ("function_name", "role", "integration_uri", "endpoint", "arn", "name")]
        for value in said:
            if isinstance(value, str) and (name := self.named(value)) is not None:
                yield name


def owners_of(rows: Iterable[Row], handoffs: Iterable[Mapping[str, Any]]) -> Owners:
    """Return who owns what in ``rows``, as ``handoffs`` (the new one first, then the one that runs) name things."""
    hands = list(handoffs)
    rows = list(rows)
    plain = Owners(
        prefix=f"{hands[0]['name']}-{hands[0]['env']}",
        functions=frozenset(name for each in hands for name in each.get("functions", {})),
        layers=frozenset(key for each in hands for key in each.get("layers", {})),
        by_name={},
    )
    by_name: dict[tuple[str, str], str] = {}
    for handoff in reversed(hands):
        for name, function in handoff.get("functions", {}).items():
            routes = function.get("triggers", {}).get("http", ()) or function.get("http_routes", ())
            by_name |= {("route", route): name for route in routes}
    for row in rows:
        target = first([row.now]).get("arn") if row.type == "aws_cloudwatch_event_target" else None
        owner = plain.named(target) if isinstance(target, str) else None
        if owner is not None:
            by_name["rule", str(row.now.get("rule"))] = owner
    return Owners(prefix=plain.prefix, functions=plain.functions, layers=plain.layers, by_name=by_name)
