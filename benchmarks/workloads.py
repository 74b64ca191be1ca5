"""What is built: functions, what they want, and for which architecture."""

import platform
import sys
from dataclasses import dataclass
from pathlib import Path

RUNTIME = "3.13"
"""Of every function and, so that no peer has to look for an interpreter, of every peer's environment."""
LOCKS = Path(__file__).parent / "locks"
"""`NAME.in` and `NAME.txt`, pinned with hashes by uv. Versions are held back to what has manylinux2014 wheels, the only
kind some peers ask for, and what Zappa can share an environment with; else not everybody would build the same thing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A function: some lines of its own, and what the lock called ``wants`` pins (nothing if it is empty)."""

    name: str
    wants: str

    @property
    def wanted(self) -> str:
        """`requirements.in`."""
        return (LOCKS / f"{self.wants}.in").read_text("utf-8") if self.wants else ""

    @property
    def lock(self) -> str:
        """`requirements.txt`."""
        return (LOCKS / f"{self.wants}.txt").read_text("utf-8") if self.wants else ""

    def source(self, edits: int = 0) -> str:
        """Return `app.py` after one line of it was edited ``edits`` times."""
        return (
            f'"""The function {self.name}."""\n\nEDITS = {edits}\n\n\n'
            f"def handler(event, context):\n"
            f'    return {{"function": "{self.name}", "edits": EDITS, "event": event}}\n'
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Functions that are built by one command."""

    name: str
    title: str
    functions: tuple[Function, ...]
    architecture: str = "x86_64"
    is_image: bool = False
    """Whether it ships as a container image, which is pushed to a registry."""
    imports: tuple[str, ...] = ()
    """Import packages whose import is timed; none where nothing is compared."""

    @property
    def is_many(self) -> bool:
        """Whether it is a repository of functions."""
        return len(self.functions) > 1

    @property
    def runs_here(self) -> bool:
        """Whether this machine can import what was built."""
        return sys.platform == "linux" and platform.machine() == self.architecture.replace("arm64", "aarch64")

    @property
    def sets(self) -> tuple[Function, ...]:
        """One function for each set of distributions: building these fills every cache."""
        return tuple({function.wants: function for function in self.functions}.values())


def _one(name: str, title: str, wants: str, imports: str = "", architecture: str = "x86_64") -> Workload:
    functions = (Function(name=name, wants=wants),)
    return Workload(
        name=name, title=title, functions=functions, imports=tuple(imports.split()), architecture=architecture
    )


_REPOSITORY = {"": 6, "pure": 9, "web": 9, "data": 6}
"""How many functions of the repository want what."""

WORKLOADS = {
    workload.name: workload
    for workload in (
        _one("pure", "requests", "pure", "requests"),
        _one("data", "pandas and numpy", "data", "pandas"),
        _one(
            "web",
            "FastAPI, Mangum, pydantic, SQLAlchemy, boto3, Powertools",
            "web",
            "fastapi mangum pydantic sqlalchemy boto3 aws_lambda_powertools",
        ),
        _one("arm64", "pandas and numpy for arm64", "data", architecture="arm64"),
        _one("large", "pandas, SciPy, scikit-learn: near the limit of 250 MB", "large", "sklearn.linear_model"),
        Workload(
            name="image",
            title="requests, pandas and pyarrow as a container image, pushed to a registry",
            functions=(Function(name="image", wants="image"),),
            is_image=True,
        ),
        Workload(
            name="monorepo",
            title="a repository of 30 functions: 6 plain, 9 requests, 9 web, 6 pandas",
            functions=tuple(
                Function(name=f"{wants or 'plain'}-{number:02}", wants=wants)
                for wants, count in _REPOSITORY.items()
                for number in range(1, count + 1)
            ),
        ),
    )
}


def repository_of(count: int) -> Workload:
    """Return ``count`` functions that want requests, to see what growth costs."""
    functions = tuple(Function(name=f"function-{number:04}", wants="pure") for number in range(1, count + 1))
    return Workload(name="scale", title=f"{count} functions with requests", functions=functions)
