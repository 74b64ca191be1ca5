"""Build the repository in the current folder and push its images, as `invoke deploy` does both.

python imaging.py ENV HOST BASE
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))

from build.images.assembled import content_of
from build.images.pushing import push_image
from build.images.registry import Registry
from build.making import build
from build.project.discovery import discover
from build.report import Reporter
from build.store.objects import Store


def _main(env: str, host: str, base: str) -> None:
    built = build(discover(Path.cwd(), env), Reporter())
    store, registry = Store(built.workspace.generated / "store"), Registry(host, plain=True)
    for name, made in built.build.images.items():
        content = content_of(made, store, lambda blob: store.blob(blob.digest))
        with ThreadPoolExecutor(4) as pool:
            push_image(made.image, registry, name, content=content, pool=pool, mount=base)


if __name__ == "__main__":
    _main(*sys.argv[1:])
