"""Container images: `image.pull-base`, `image.show`, `image.export`."""

import shlex
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from build import report
from build.errors import InputError
from build.image import Assembled, Blob
from build.imaging import Grounds
from build.model import FunctionSpec, Workspace
from build.project.discovery import discover, discover_all
from build.project.pins import PINS, read_pins, write_pins
from build.report import Reporter
from build.rules.references import Reference
from build.store.objects import Store
from build.verbs.choosing import function_named, narrowed

_PULLED_AT_ONCE = 4


def pull_base(root: Path, *, upgrade: bool) -> None:
    """Fetch what the images of all envs stand on, and pin those bases that no function.toml names."""
    from build.images.bases import of_aws

    workspaces = discover_all(root)
    specs = [spec for workspace in workspaces for spec in workspace.functions if spec.is_image]
    if not specs:
        raise InputError(
            'no function has `package = "image"`, so there is no base to fetch',
            hint='write `package = "image"` into a function.toml, then run `invoke image.pull-base`',
        )
    show = Reporter()
    bases = Grounds(workspaces[0], Store(workspaces[0].generated / "store"), show).bases
    pins = dict(read_pins(root)[0])
    named = {spec.base_image for spec in specs} - {"", *pins.values()}
    rows = []
    with show.stage("pull"), ThreadPoolExecutor(_PULLED_AT_ONCE) as pool:
        for target in sorted({spec.target for spec in specs if spec.base_image not in named}):
            before = pins.get(target)
            if upgrade or not before:
                pins[target] = str(bases.newest(of_aws(target.runtime), target.architecture))
            image = bases.pull(Reference.parse(pins[target]), pool)
            told = "pinned" if before is None else "as pinned" if before == pins[target] else "moved on"
            rows.append((str(target), pins[target], report.megabytes(image.size_bytes), told))
        for text in sorted(named):
            image = bases.pull(Reference.parse(text), pool)
            rows.append(("named by a function.toml", text, report.megabytes(image.size_bytes), "as pinned"))
    write_pins(root, pins)
    report.print_table(("for", "base", "size", ""), rows, right=("size",))
    show.note(f"commit {PINS}: it decides what every image stands on")


def show(root: Path, env: str, name: str, *, as_json: bool) -> None:
    """Print what an image is made of, layer by layer, and what it starts."""
    _, _, made, _ = _built(root, env, name)
    layers = list(_layers(made))
    image = made.image
    if as_json:
        report.print_json(
            {
                "digest": str(image.digest),
                "architecture": image.architecture,
                "size_bytes": image.size_bytes,
                "layers": [
                    {"what": what, "digest": str(blob.digest), "size_bytes": blob.size_bytes} for what, blob in layers
                ],
                "settings": image.settings,
            }
        )
        return
    settings = image.settings
    started = [*(settings.get("Entrypoint") or []), *(settings.get("Cmd") or [])]
    place, user = settings.get("WorkingDir") or "/", settings.get("User") or "whom Lambda says"
    size = report.megabytes(image.size_bytes)
    sys.stdout.write(
        f"{name}: {image.digest}\n{image.architecture}, {size}, starts {shlex.join(started)} in {place} as {user}\n"
    )
    rows = [
        (str(number), what, report.megabytes(blob.size_bytes), blob.digest.short)
        for number, (what, blob) in enumerate(layers, 1)
    ]
    report.print_table(("layer", "what", "size", "digest"), rows, right=("layer", "size"))


def export(root: Path, env: str, name: str, *, oci: str, docker: str) -> None:
    """Write an image to a new folder or file that other tools read."""
    from build.images.layouts import export_archive, export_layout

    if bool(oci) == bool(docker):
        raise InputError(
            "expected one of --oci DIR and --docker FILE, got " + ("both" if oci else "neither"),
            hint=f"run `invoke image.export {name} --oci DIR`",
        )
    workspace, spec, made, show = _built(root, env, name)
    tag = f"{workspace.prefix}-{name}:{made.image.digest.hex[:12]}"
    place = Path(oci or docker).expanduser().absolute()
    with show.stage("export"):
        content = _content(workspace, spec, made, show)
        if oci:
            export_layout(made.image, content, place, tag=tag)
        else:
            export_archive(made.image, content, place, tag=tag)
    by = f"skopeo inspect oci:{place}:{tag}" if oci else f"docker load --input {place}"
    show.note(f"{place} holds {tag}; try `{by}`")


def _built(root: Path, env: str, name: str) -> tuple[Workspace, FunctionSpec, Assembled, Reporter]:
    """Build one image; raise InputError for a function that is none."""
    from build import making

    workspace, show = discover(root, env), Reporter()
    spec = function_named(workspace, name)
    if not spec.is_image:
        raise InputError(
            f"{spec.identity} is no image",
            facts=[f'expected package = "image" in its function.toml, got "{spec.package}"'],
            hint=f"run `invoke size -f {name}` for what is in its zip",
        )
    workspace = narrowed(workspace, name)
    return workspace, spec, making.build(workspace, show, narrowed=True).build.images[name], show


def _layers(made: Assembled) -> Iterator[tuple[str, Blob]]:
    """Yield every layer with where it comes from, the lowest first."""
    base, rest = (len(made.base.layers), "packages and code") if made.base else (0, "Dockerfile")
    said = [row.get("created_by") or "" for row in made.image.whole_config.get("history") or [] if not _is_empty(row)]
    for number, blob in enumerate(made.image.layers):
        told = said[number] if number < len(said) else ""
        yield ("base" if number < base else told or rest), blob


def _is_empty(row: dict[str, object]) -> bool:
    return bool(row.get("empty_layer"))


def _content(workspace: Workspace, spec: FunctionSpec, made: Assembled, show: Reporter) -> Callable[[Blob], Path]:
    from build.images.assembled import content_of

    store = Store(workspace.generated / "store")
    return content_of(made, store, Grounds(workspace, store, show).layer_of(spec))
