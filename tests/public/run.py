"""Moto's own tests of Lambda's API against an embedded cloud: ``python -m tests.public.run [pytest's arguments]``.

They come from the source distribution of the moto that is locked, by pip, and go when they have run. Where the embedded
cloud answers otherwise on purpose, differences.toml says why: any other failure is one, and so is a difference that has
gone. For running by hand: the suite takes minutes, as moto is reset, with IAM's managed policies, before every test.
"""

import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

from build.local import cloud
from tests.clients import locked
from tests.embedded import repository

_DIFFERENCES = Path(__file__).with_name("differences.toml")
_SUITE = "tests/test_awslambda"


def main(arguments: list[str]) -> int:
    """Run the suite, print what passed, failed and differs, and return 1 if anything is not as listed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = _fetched(folder)
        root = repository(folder / "repository")
        running, _ = cloud.ensure(root)
        try:
            results = _run(source, running.endpoint, arguments)
        finally:
            cloud.stop(root)
    return _judged(results, tomllib.loads(_DIFFERENCES.read_text("utf-8")))


def _fetched(folder: Path) -> Path:
    """Return the unpacked source distribution, with tests that ask for a runtime that this machine has."""
    pip = [sys.executable, "-m", "pip", "--quiet"]
    subprocess.run([*pip, "download", "--no-deps", "--no-binary", "moto", "--dest", folder, locked("moto")], check=True)
    subprocess.run([*pip, "install", "--no-deps", "--target", folder / "needs", "freezegun"], check=True)
    with tarfile.open(next(folder.glob("moto-*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    source = next(path for path in folder.glob("moto-*") if path.is_dir())
    (source / "moto").rename(source / "not-imported")  # the tests are clients of what is installed here
    utilities = source / _SUITE / "utilities.py"
    lines = utilities.read_text("utf-8").splitlines()
    runtime = f'PYTHON_VERSION = "python{sys.version_info.major}.{sys.version_info.minor}"'
    lines = [runtime if line.startswith("PYTHON_VERSION =") else line for line in lines]
    utilities.write_text("\n".join(lines) + "\n", "utf-8")
    return source


def _run(source: Path, endpoint: str, arguments: list[str]) -> dict[str, str]:
    """Return ``passed``, ``failed`` or ``skipped`` of each test that ran."""
    report = source / "report.xml"
    variables = {
        **{name: value for name, value in os.environ.items() if name not in cloud.foreign(os.environ)},
        "PYTHONPATH": str(source.parent / "needs"),
        "TEST_SERVER_MODE": "true",
        "TEST_SERVER_MODE_ENDPOINT": endpoint,
    }
    options = ["-c", "setup.cfg", "-p", "no:cacheprovider", "--tb=short", f"--junit-xml={report}"]
    subprocess.run(
        [sys.executable, "-m", "pytest", *options, *(arguments or [_SUITE])], cwd=source, env=variables, check=False
    )
    return dict(_results(report))


def _results(report: Path) -> Iterator[tuple[str, str]]:
    for case in ElementTree.parse(report).iter("testcase"):
        module = case.attrib["classname"].removeprefix(f"{_SUITE.replace('/', '.')}.")
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        yield f"{module}.{case.attrib['name']}", outcome


def _judged(results: Mapping[str, str], differences: Mapping[str, str]) -> int:
    failed = {test for test, outcome in results.items() if outcome == "failed"}
    gone = sorted(test for test in differences if results.get(test) == "passed")
    unknown = sorted(failed - differences.keys())
    count = list(results.values()).count
    lines = [
        *(f"differs: {test}: {differences[test]}" for test in sorted(failed & differences.keys())),
        *(f"FAILED: {test}" for test in unknown),
        *(f"passes, though listed as a difference: {test}" for test in gone),
        f"{count('passed')} passed, {count('failed') - len(unknown)} differ, {len(unknown)} failed",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if unknown or gone or not results else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
