"""Rules that a type carries: ``Annotated[int, between(1, 900)]``.

A `table` is a frozen value that is also the schema of its table in a settings file: types, rules, and the
docstring below each key as what editors show. pydantic is asked for only where files are read.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, FrozenInstanceError, dataclass, field, fields
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, dataclass_transform

from build.rules import arns, quotas, values
from build.rules.words import KEBAB, kebab_problem, shown

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
    from pydantic_core.core_schema import CoreSchema

RULE = "slipway"
"""Type of the errors that rules raise; their message is complete."""

_PLAIN = {"bool", "int", "str"}
_T = TypeVar("_T")


class _Value:
    """What a frozen dataclass can do, once for all tables: made for each of them, it would take 1 ms a table."""

    def __init__(self, **given: Any) -> None:
        for each in fields(self):  # type: ignore[arg-type]
            if each.name in given:
                value = given.pop(each.name)
            elif each.default is not MISSING:
                value = each.default
            elif each.default_factory is not MISSING:
                value = each.default_factory()
            else:
                msg = f"{type(self).__name__} without {each.name}"
                raise TypeError(msg)
            self.__dict__[each.name] = value
        if given:
            msg = f"{type(self).__name__} has no {', '.join(given)}"
            raise TypeError(msg)
        getattr(self, "__post_init__", lambda: None)()

    def __repr__(self) -> str:
        keys = ", ".join(f"{name}={value!r}" for name, value in _items(self))
        return f"{type(self).__name__}({keys})"

    def __eq__(self, other: object) -> bool:
        return _items(self) == _items(other) if type(self) is type(other) else NotImplemented

    def __hash__(self) -> int:
        return hash(_items(self))

    def __setattr__(self, name: str, value: object) -> None:
        msg = f"cannot assign to {name}: what settings say is never changed"
        raise FrozenInstanceError(msg)


def _items(value: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((each.name, getattr(value, each.name)) for each in fields(value))


@dataclass_transform(frozen_default=True, kw_only_default=True)
def table(cls: type[_T]) -> type[_T]:
    """Make ``cls`` a frozen value that a table of a settings file may become, key by key, and no others."""
    made = dataclass(init=False, repr=False, eq=False, match_args=False, kw_only=True)(cls)
    for name in ("__init__", "__repr__", "__eq__", "__hash__", "__setattr__"):
        setattr(made, name, vars(_Value)[name])
    made.__pydantic_config__ = {"extra": "forbid", "use_attribute_docstrings": True}  # type: ignore[attr-defined]
    return made


@dataclass(frozen=True, slots=True)
class Rule:
    """Metadata of a type: a check from `values`, and what of it JSON Schema can tell."""

    problem: Callable[[Any], str | None]
    json: Mapping[str, Any] = field(default_factory=dict, hash=False)
    words: str = ""
    """What the reference says of it where JSON Schema has no words."""

    def __get_pydantic_core_schema__(self, source: object, handler: "GetCoreSchemaHandler") -> "CoreSchema":
        """Run the check after the type's own validation, which takes no number for a text, nor a text for a number."""
        from pydantic_core import core_schema

        schema: Any = handler(source)
        if schema["type"] in _PLAIN:
            schema = {**schema, "strict": True}
        return core_schema.no_info_after_validator_function(self._checked, schema)

    def __get_pydantic_json_schema__(self, schema: "CoreSchema", handler: "GetJsonSchemaHandler") -> dict[str, Any]:
        """Add ``json`` and ``words`` to what the type itself says."""
        return {**handler(schema), **self.json, **({"$comment": self.words} if self.words else {})}

    def _checked(self, value: object) -> object:
        problem = self.problem(value)
        if problem:
            from pydantic_core import PydanticCustomError

            # An argument, not the template: braces in a person's text must not be read as fields.
            raise PydanticCustomError(RULE, "{problem}", {"problem": problem})
        return value


class _JsonObject:
    """A table of any shape, kept as its canonical JSON: hashable, and the same for the same content."""

    def __get_pydantic_core_schema__(self, source: object, handler: "GetCoreSchemaHandler") -> "CoreSchema":
        from pydantic_core import core_schema

        anything = core_schema.dict_schema(core_schema.str_schema(strict=True), core_schema.any_schema())
        return core_schema.no_info_after_validator_function(self._text, anything)

    @staticmethod
    def _text(value: object) -> str:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)


def between(low: int, high: int | None = None) -> Rule:
    """Take numbers from ``low`` to ``high``, both included."""
    return Rule(values.between(low, high), {"minimum": low} | ({} if high is None else {"maximum": high}))


def one_of(choices: Collection[int] | Collection[str]) -> Rule:
    """Take one of ``choices``."""
    return Rule(values.one_of(choices), {"enum": list(choices)})


def some_of(choices: Collection[str], fewest: int = 1) -> Rule:
    """Take ``fewest`` or more of ``choices``, each once."""

    def problem(chosen: tuple[str, ...]) -> str | None:
        check = values.one_of(choices)
        return next(filter(None, map(check, chosen)), None) or values.distinct(fewest)(chosen)

    return Rule(problem, {"uniqueItems": True, "minItems": fewest, "items": {"type": "string", "enum": list(choices)}})


def text(most: int) -> Rule:
    """Take text that is not blank, of at most ``most`` characters."""
    return Rule(values.text(most), {"minLength": 1, "maxLength": most})


def distinct(fewest: int = 0) -> Rule:
    """Take lists of ``fewest`` or more values, each once."""
    return Rule(values.distinct(fewest), {"uniqueItems": True, "minItems": fewest})


def at_most(most: int) -> Rule:
    """Take lists of at most ``most`` values."""
    return Rule(values.at_most(most), {"maxItems": most})


def matching(check: Callable[[str], str | None], pattern: str, words: str) -> Rule:
    """Take what ``check`` does; editors know it by ``pattern``, the reference by ``words``."""
    return Rule(check, {"pattern": f"^({pattern})$"}, words)


def arn_of(*services: str) -> Rule:
    """Take an ARN of one of ``services``, or a placeholder of ``terraform/custom/`` in its place."""
    pattern = rf"arn:[^:]*:({'|'.join(services)}):[^:]*:[^:]*:.*|{arns.CUSTOM}"
    return matching(arns.arn(*services), pattern, f"ARN of {', '.join(f'`{service}`' for service in services)}")


def refused(expected: str, got: object) -> ValueError:
    """Return the error of a table whose keys contradict each other: what is expected, and what was given."""
    return ValueError(f"expected {expected}, got {shown(got) if not isinstance(got, str) else got}")


Flag = Annotated[bool, Rule(lambda _: None)]
Text = Annotated[str, Rule(lambda _: None)]
Schedule = Annotated[str, Rule(values.schedule, words="`rate(…)`, `cron(…)` or `at(…)`")]
Timezone = Annotated[str, Rule(values.timezone, words="`UTC`, or one of IANA's")]
Kebab = Annotated[str, matching(kebab_problem, KEBAB, "kebab-case")]
Description = Annotated[str, text(quotas.DESCRIPTION_CHARS)]
JsonObject = Annotated[str, _JsonObject()]
"""JSON of a table."""
