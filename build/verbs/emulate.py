"""`run`: build one function and answer for it on loopback, as AWS's Runtime Interface Emulator does."""

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from build import making, report
from build.images.assembled import content_of
from build.imaging import Grounds
from build.local import cloud, emulator
from build.local.built import image_deployment, zip_deployment
from build.local.deployment import Deployment, LogLine
from build.local.execution import Pool
from build.local.importing import NOWHERE
from build.model import LOCAL, Built, FunctionSpec
from build.project.discovery import discover
from build.store.sharing import opened
from build.verbs.choosing import function_named, narrowed


def run(root: Path, function: str, port: int) -> None:
    """Build ``function`` and serve it until Ctrl-C; its log is on stderr."""
    whole = discover(root, LOCAL)
    spec = function_named(whole, function)
    show = report.Reporter()
    built = making.build(narrowed(whole, function), show, narrowed=True)
    deployment = _deployment(built, spec, show)
    running = cloud.running(root)
    endpoint = running.endpoint if running else NOWHERE
    if not running:
        show.note("no embedded cloud runs, so calls to AWS fail: `invoke deploy` starts one")

    def ready(port: int) -> None:
        show.note(f"{spec.identity} answers, until Ctrl-C:")
        sys.stdout.write(f"curl -d '{{}}' http://{emulator.HOST}:{port}{emulator.path_of(emulator.NAME)}\n")
        sys.stdout.flush()

    pool = Pool(deployment, root=root, endpoint=endpoint, sink=_print)
    try:
        emulator.serve(pool, {spec.name, deployment.function_name}, port, ready=ready)
    finally:
        pool.close()


def _deployment(built: Built, spec: FunctionSpec, show: report.Reporter) -> Deployment:
    workspace, made = built.workspace, built.build
    with opened(workspace, say=show.say, warn=show.note) as store:
        image = made.images.get(spec.name)
        if image is None:
            layers = (layer.digest for layer in made.layers_of(spec))
            return zip_deployment(spec, workspace, store, code=made.functions[spec.name].digest, layers=layers)
        content = content_of(image, store, Grounds(workspace, store, show).layer_of(spec))
        with show.stage("unpack"):
            return image_deployment(spec, workspace, image.image, lambda layer: nullcontext(content(layer)))


def _print(_deployment: Deployment, _stream: str, lines: Sequence[LogLine]) -> None:
    sys.stderr.write("".join(f"{line.message}\n" for line in lines))
    sys.stderr.flush()
