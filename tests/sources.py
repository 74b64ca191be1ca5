"""Source that is built to wheels: sdists and projects with a build backend of their own, so that no index is needed."""

import io
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path

from build.digest import Digest
from tests.builders import write_files

PYPROJECT = """
[build-system]
requires = {requires}
build-backend = "{backend}"
{path}
[project]
name = "{name}"
version = "{version}"
"""

BACKEND = '''
"""Builds what is below src/, as carelessly as a backend can: no two of its wheels are alike."""
import os, random, subprocess, sys, sysconfig, time, zipfile
from pathlib import Path

NAME, VERSION, METADATA, COMPILE = {name!r}, {version!r}, {metadata!r}, {compile!r}


def build_wheel(folder, config_settings=None, metadata_directory=None):
    paths = [path for path in Path("src").rglob("*") if path.is_file()]
    files = {{path.relative_to("src").as_posix(): path.read_bytes() for path in paths}}
    tag = "py3-none-any"
    for source in COMPILE:
        module = NAME + sysconfig.get_config_var("EXT_SUFFIX")
        include = "-I" + sysconfig.get_paths()["include"]
        arguments = ["-shared", "-fPIC", "-O3", "-g", "-march=native", include, os.path.abspath(source), "-o", module]
        if source.endswith(".rs"):
            subprocess.run(["cargo", "build"], check=True)
        subprocess.run([os.environ["CC"], *arguments], check=True)
        files[module] = Path(module).read_bytes()
        version = f"cp{{sys.version_info.major}}{{sys.version_info.minor}}"
        tag = f"{{version}}-{{version}}-linux_{{os.uname().machine}}"
    info = f"{{NAME}}-{{VERSION}}.dist-info"
    files[info + "/METADATA"] = f"Metadata-Version: 2.1\\nName: {{NAME}}\\nVersion: {{VERSION}}\\n{{METADATA}}".encode()
    lines = [
        "Wheel-Version: 1.0",
        f"Generator: careless {{time.time()}}",
        f"Root-Is-Purelib: {{str(not COMPILE).lower()}}",
        f"Tag: {{tag}}",
        "",
    ]
    files[info + "/WHEEL"] = "\\n".join(lines).encode()
    files[info + "/RECORD"] = b""
    files["__pycache__/" + NAME + ".cpython-39.pyc"] = str(time.time()).encode()
    filename = f"{{NAME}}-{{VERSION}}-{{tag}}.whl"
    method = random.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    with zipfile.ZipFile(Path(folder, filename), "w", method) as archive:
        for name in random.sample(sorted(files), len(files)):
            info = zipfile.ZipInfo(name, time.localtime()[:6])
            info.external_attr = random.choice([0o100600, 0o100664]) << 16
            archive.writestr(info, files[name])
    return filename
'''


def write_project(
    folder: Path,
    name: str,
    version: str = "1.0",
    *,
    files: Mapping[str, str] | None = None,
    metadata: str = "",
    compiles: tuple[str, ...] = (),
) -> Path:
    """Write a project whose own backend builds what is below its src/, and ``compiles`` C files; return its folder."""
    return write_files(
        folder,
        {
            "pyproject.toml": PYPROJECT.format(
                requires="[]", backend="backend", path='backend-path = ["."]', name=name, version=version
            ),
            "backend.py": BACKEND.format(name=name, version=version, metadata=metadata, compile=compiles),
            **(files if files is not None else {f"src/{name}.py": f"VERSION = {version!r}\n"}),
        },
    )


def make_sdist(folder: Path, project: Path, name: str, version: str = "1.0") -> tuple[Path, Digest]:
    """Pack ``project`` as an sdist into ``folder``; return it, and its digest."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        said = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
        info = tarfile.TarInfo(f"{name}-{version}/PKG-INFO")
        info.size, info.mtime = len(said), int(time.time())
        archive.addfile(info, io.BytesIO(said))
        archive.add(project, f"{name}-{version}")
    return path, Digest.of_file(path)
