"""Write the folder of a new function."""

import os
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from build.errors import InputError
from build.model import LOCAL
from build.project.naming import function_name, length_problem
from build.rules.words import kebab_problem

_FUNCTION_TOML = """\
#:schema ../../docs/reference/function.schema.json
# Every key: docs/reference/settings.md
description = "Says hello"
handler     = "app.handler"
{settings}memory_mb   = 256
timeout_s   = 10

[environment]
GREETING = "Hello"
"""

_APP = '''\
"""{name}: says hello to whoever the event names."""

import os
from typing import Any


def handler(event: dict[str, Any], _context: object) -> dict[str, str]:
    """Answer ``{{"name": "Ada"}}`` with a greeting."""
    greeting = os.environ.get("GREETING", "Hello")
    return {{"message": f"{{greeting}}, {{event.get('name', 'World')}}!"}}
'''

_EVENT = """\
{"name": "Ada"}
"""

_TEST = '''\
"""The built artifact, invoked as Lambda would."""


def test_greets_whom_the_event_names(function):
    assert function.invoke({"name": "Ada"}).payload == {"message": "Hello, Ada!"}


def test_an_event_without_a_name_greets_the_world(function):
    assert function.invoke({}).payload == {"message": "Hello, World!"}


def test_the_greeting_comes_from_the_environment(function):
    answer = function.invoke({"name": "Ada"}, environment={"GREETING": "Ahoy"})
    assert answer.payload == {"message": "Ahoy, Ada!"}
'''

_README = """\
# {name}

Says hello to whoever the event names.

    invoke invoke -f {name}                # with events/default.json, on the embedded cloud
    invoke test                            # its tests are in tests/
    invoke deploy                          # to the embedded cloud; --env prod for real

Everything in `src/` ships. For a dependency, write it into `requirements.in` beside this file and run `invoke lock`.
"""

_FALLBACK = {"runtime": "python3.13", "architecture": "x86_64"}
"""Written where slipway.toml has no [defaults] for it."""


def new_function(root: Path, name: str) -> tuple[Path, ...]:
    """Write functions/``name``/ and return the files, sorted: all of them or none.

    Raises InputError if the name will not do, or if the folder is there already.
    """
    slipway = _slipway(root)
    _refuse_bad_name(name, slipway)
    folder = root / "functions" / name
    if os.path.lexists(folder):
        raise InputError(
            f"functions/{name} exists already; nothing was written",
            hint=f"choose another name, or move functions/{name} away, then run `invoke new` again",
        )
    # On the same filesystem, so that the rename is atomic, and git-ignored, should we be killed before it.
    draft = root / ".artifacts" / f"new-{name}-{os.getpid()}"
    try:
        for path, text in _files(name, slipway).items():
            target = draft / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8", newline="\n")
        folder.parent.mkdir(exist_ok=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return tuple(sorted(path for path in folder.rglob("*") if path.is_file()))


def _slipway(root: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads((root / "slipway.toml").read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as reason:
        raise InputError(
            "slipway.toml cannot be read; nothing was written",
            facts=[f"{root / 'slipway.toml'}: {reason}"],
            hint="go to the root of the repository and run `invoke check`",
        ) from None


def _refuse_bad_name(name: str, slipway: Mapping[str, Any]) -> None:
    envs = [LOCAL, *slipway.get("env", {})]
    prefix = max((f"{slipway.get('name', '')}-{env}" for env in envs), key=len)
    problem = kebab_problem(name) or length_problem(function_name(prefix, name))
    if problem:
        raise InputError(
            f"`{name}` cannot be the name of a function; nothing was written",
            facts=[problem],
            hint="choose another name and run `invoke new` with it",
        )


def _files(name: str, slipway: Mapping[str, Any]) -> dict[str, str]:
    defaults = slipway.get("defaults", {})
    lacking = {key: value for key, value in _FALLBACK.items() if key not in defaults}
    settings = "".join(f'{key:<12}= "{value}"\n' for key, value in lacking.items())
    return {
        "README.md": _README.format(name=name),
        "events/default.json": _EVENT,
        "function.toml": _FUNCTION_TOML.format(settings=settings),
        "src/app.py": _APP.format(name=name),
        "tests/test_app.py": _TEST,
    }
