"""base-images.toml: which bases images stand on whose function.toml names none, by digest."""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from build.model import Architecture, Runtime, Target
from build.rules import values

PINS = "base-images.toml"
_HEAD = "# The bases of images whose function.toml names none. Written by `invoke image.pull-base`; commit it.\n"


def read_pins(root: Path) -> tuple[Mapping[Target, str], list[str]]:
    """Return ``HOST/REPOSITORY:TAG@DIGEST`` by target, none without the file, and a line for each problem."""
    pins: dict[Target, str] = {}
    found = []
    try:
        table = tomllib.loads((root / PINS).read_text("utf-8"))
        for runtime, each in table.items():
            for architecture, text in each.items():
                problem = values.base_image(text)
                found += [f"{PINS}: {runtime}.{architecture}: {problem}"] if problem else []
                pins[Target(Runtime.parse(runtime), Architecture(architecture))] = text
    except FileNotFoundError:
        return {}, []
    except (ValueError, AttributeError, TypeError) as reason:  # TOMLDecodeError is a ValueError
        found.append(f"{PINS}: {reason}; remove it and run `invoke image.pull-base`")
    return pins, found


def write_pins(root: Path, pins: Mapping[Target, str]) -> Path:
    """Write base-images.toml, whole or not at all."""
    lines = [_HEAD]
    for runtime in sorted({target.runtime for target in pins}):
        rows = sorted((target.architecture, text) for target, text in pins.items() if target.runtime == runtime)
        lines.append(f'\n["{runtime}"]\n' + "".join(f'{architecture} = "{text}"\n' for architecture, text in rows))
    path = root / PINS
    draft = path.with_name(f".{PINS}.draft")
    draft.write_text("".join(lines), encoding="utf-8")
    draft.replace(path)
    return path
