"""A repository of functions and layers with finished artifacts, to be checked: no compiler, no package index."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from build.checks import check
from build.image import Assembled, Image, Part
from build.model import IMAGE, Architecture, Build, Finding, FunctionSpec, LayerSpec, Runtime, Target, Wheel, Workspace
from build.options import Dockerfile, Options
from build.store.objects import Store
from tests.artifacts import make_artifact
from tests.builders import PY313, function_spec, layer_spec, make_wheel, make_workspace

X86 = Architecture.X86_64
HANDLER = "def handler(event, context): ...\n"


class Repository:
    """Collects folders; `findings` checks them."""

    def __init__(self, root: Path, *, runtime: Runtime = PY313) -> None:
        self.root = root
        self.runtime = runtime
        self.store = Store(root / "store")
        self.layer_sizes: dict[str, int] = {}
        self._functions: dict[str, FunctionSpec] = {}
        self._layers: dict[str, LayerSpec] = {}
        self._artifacts: Build = Build(functions={}, layers={})

    def wheel(self, name: str, *modules: str, files: Mapping[str, str] | None = None) -> Wheel:
        """Return a wheel of empty ``modules`` (paths), or of ``files``."""
        return make_wheel(self.root / "wheels", name, files=files or dict.fromkeys(modules, ""))

    def function(
        self,
        src: Mapping[str, str],
        *,
        name: str = "f",
        wheels: Sequence[Wheel] = (),
        layers: tuple[str, ...] = (),
        handler: str = "app.handler",
    ) -> "Repository":
        """Add a function, or replace it; without an app.py it gets one that is in order."""
        folder = self.root / "functions" / name
        src = {"app.py": HANDLER, **src}
        self._write(folder, src)
        spec = function_spec(folder, target=Target(self.runtime, X86), layers=layers)
        self._functions[name] = replace(spec, handler=handler)
        artifact = make_artifact(self.root / f"{name}.zip", f"functions/{name}", wheels=wheels, src=src)
        functions = {**self._artifacts.functions, name: artifact}
        self._artifacts = replace(self._artifacts, functions=functions)
        return self

    def image(
        self,
        image: Image,
        *,
        base: Image | None = None,
        base_image: str = "",
        parts: tuple[Part, ...] = (),
        options: Options | None = None,
        name: str = "f",
    ) -> "Repository":
        """Let the function ``name`` ship as ``image``: by a Dockerfile, or on ``base``."""
        if name not in self._functions:
            self.function({}, name=name)
        if base is None:
            (self.root / "functions" / name / "Dockerfile").write_text("FROM scratch\n", "utf-8")
        spec = self._functions[name]
        self._functions[name] = replace(
            spec,
            package=IMAGE,
            base_image=base_image,
            dockerfile=None if base else Dockerfile(),
            options=options or spec.options,
        )
        images = {**self._artifacts.images, name: Assembled(image=image, base=base, parts=parts)}
        self._artifacts = replace(self._artifacts, images=images)
        return self

    def layer(
        self,
        name: str,
        src: Mapping[str, str] | None = None,
        *,
        wheels: Sequence[Wheel] = (),
        folder: str = "python",
        runtimes: tuple[Runtime, ...] = (),
    ) -> "Repository":
        """Add a layer whose wheels and sources are in ``folder`` of its zip."""
        place = self.root / "layers" / name
        self._write(place, src or {})
        self._layers[name] = layer_spec(place, runtimes=runtimes or (self.runtime,), architectures=(X86,))
        artifact = make_artifact(
            self.root / f"layer-{name}.zip", f"layers/{name}", wheels=wheels, src=src, folder=folder
        )
        layers = {**self._artifacts.layers, (name, X86): artifact}
        self._artifacts = replace(self._artifacts, layers=layers)
        return self

    @property
    def workspace(self) -> Workspace:
        """What was added."""
        made = make_workspace(self.root, functions=tuple(self._functions.values()), layers=tuple(self._layers.values()))
        return replace(made, layer_sizes=self.layer_sizes)

    @property
    def build(self) -> Build:
        """The artifacts of what was added."""
        return self._artifacts

    def findings(self, *rules: str) -> list[Finding]:
        """Return what the checks find; only by ``rules``, if any are named."""
        found = check(self.workspace, self.build, self.store)
        assert all("`invoke" in finding.hint for finding in found)
        return [finding for finding in found if not rules or finding.rule in rules]

    def _write(self, folder: Path, src: Mapping[str, str]) -> None:
        (folder / "src").mkdir(parents=True, exist_ok=True)
        for path, text in src.items():
            place = folder / "src" / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, "utf-8")
