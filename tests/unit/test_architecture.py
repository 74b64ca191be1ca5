"""The rooms of build/: who may import whom, who may start programs, how large a room gets, what starting up costs."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from build import errors

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build"
MODULES = sorted(BUILD.rglob("*.py"))

LEVELS = [
    "digest errors syntax",
    "rules",
    "http options image",
    "triggers",
    "model",
    "results",
    "process",
    "project",
    "store locking",
    "zips",
    "images",
    "wheels",
    "packaging",
    "checks",
    "inspection",
    "infra",
    "release",
    "review",
    "local metrics",
    "github report",
    "imaging",
    "doctor making estate profiling samples testing",
    "approval reviews recording",
    "releasing",
    "restoring",
    "pipeline",
    "watching",
    "verbs",
    "__main__",
]
"""From the bottom up. A room imports from itself and from lower levels only."""
LEVEL_OF = {room: level for level, rooms in enumerate(LEVELS) for room in rooms.split()}

STARTS_PROGRAMS = (
    "subprocess.",
    "pty.",
    "multiprocessing.",
    "concurrent.futures.process.",
    "concurrent.futures.Process",
)
STARTS_IN_OS = ("system", "popen", "exec", "spawn", "posix_spawn", "fork", "startfile")

MODULE_LINES = 380
FUNCTION_LINES = 60
TASK_LINES = 16
HOUSE_MODULE_LINES = 350
HOUSE_FUNCTION_LINES = 40

HEAVY = ["boto3", "botocore", "deflate", "flask", "moto", "packaging", "pip", "pydantic", "python_terraform", "rich"]


def room_of(path: Path) -> str:
    return path.relative_to(BUILD).parts[0].removesuffix(".py")


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Everything in a module, the module itself first."""
    return tuple(ast.walk(ast.parse(path.read_text("utf-8"), str(path))))


@cache
def imports_of(path: Path) -> tuple[tuple[int, str], ...]:
    """Every absolute name a module imports, wherever the import stands, with its line."""
    found: list[tuple[int, str]] = []
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(ROOT).with_suffix("").parts[: -node.level] if node.level else ()
            start = ".".join([*package, *([node.module] if node.module else [])])
            found += [(node.lineno, f"{start}.{alias.name}") for alias in node.names]
    return tuple(found)


def place(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def test_every_room_has_its_level():
    rooms = {room_of(path) for path in MODULES} - {"__init__"}
    assert rooms - set(LEVEL_OF) == set(), "a new room: put it into LEVELS, and into the tour in build/__init__.py"


def test_imports_go_downward_only():
    upward = [
        f"{place(path, line)} imports {name}"
        for path in MODULES
        for line, name in imports_of(path)
        if name.startswith("build.")
        and (room := name.split(".")[1]) in LEVEL_OF
        and room != room_of(path)
        and LEVEL_OF[room] >= LEVEL_OF.get(room_of(path), -1)
    ]
    assert upward == []


def test_build_imports_nothing_of_tests_tasks_functions_or_layers():
    outside = {"tests", "tasks", "functions", "layers"}
    found = [
        f"{place(path, line)} imports {name}"
        for path in MODULES
        for line, name in imports_of(path)
        if name.split(".")[0] in outside
    ]
    assert found == []


def starters_of(path: Path) -> Iterator[str]:
    """Every import and call in a module that could start a program, a pool of processes included."""
    for line, name in imports_of(path):
        if f"{name}.".startswith(STARTS_PROGRAMS) or name.startswith(tuple(f"os.{each}" for each in STARTS_IN_OS)):
            yield f"{place(path, line)} imports {name}"
    for node in nodes_of(path):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            called = f"{node.value.id}.{node.attr}"
            if called.startswith(("asyncio.create_subprocess", *(f"os.{each}" for each in STARTS_IN_OS))):
                yield f"{place(path, node.lineno)} uses {called}"


def test_only_process_starts_programs():
    process, of_functions = BUILD / "process.py", BUILD / "local" / "runtime"  # which runs in their environments
    ours = [path for path in MODULES if path != process and path.parent != of_functions]
    assert list(starters_of(process))
    assert [each for path in ours for each in starters_of(path)] == []


def test_no_room_is_named_for_nothing_in_particular():
    meaningless = {"base", "common", "helper", "helpers", "misc", "shared", "util", "utils"}
    assert [str(path) for path in BUILD.rglob("*") if path.stem.strip("_") in meaningless] == []


def over(cap: int, lengths: dict[str, int]) -> dict[str, int]:
    return {name: lines for name, lines in lengths.items() if lines > cap}


def test_modules_stay_readable_in_one_sitting():
    lines = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in MODULES}
    assert over(MODULE_LINES, lines) == {}, f"beyond the house measure: {over(HOUSE_MODULE_LINES, lines)}"


def test_functions_stay_readable_on_one_screen():
    lengths = {
        f"{place(path, node.lineno)} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in MODULES
        for node in nodes_of(path)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert over(FUNCTION_LINES, lengths) == {}, f"beyond the house measure: {over(HOUSE_FUNCTION_LINES, lengths)}"


def test_tasks_hold_verbs_and_no_logic():
    lengths = {
        node.name: (node.end_lineno or node.lineno) - node.lineno + 1
        for node in ast.iter_child_nodes(nodes_of(ROOT / "tasks.py")[0])
        if isinstance(node, ast.FunctionDef) and node.name != "verb"
    }
    assert len(lengths) > 10
    assert over(TASK_LINES, lengths) == {}


def test_listing_the_verbs_imports_nothing_heavy():
    program = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); import tasks;"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules} & set(sys.argv[2:]))))"
    )
    command = [sys.executable, "-c", program, str(ROOT), *HEAVY]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT.parent)
    assert json.loads(answer.stdout) == []


def every_error() -> list[type[errors.SlipwayError]]:
    found, waiting = [], [errors.SlipwayError]
    while waiting:
        subclasses = waiting.pop().__subclasses__()
        found += [each for each in subclasses if each.__module__.startswith("build.")]
        waiting += subclasses
    return found


def test_exit_codes_are_unique():
    codes = [each.exit_code for each in every_error() if "exit_code" in vars(each)]
    codes.append(errors.EXIT_CODE_OF_A_BUG)
    assert sorted(codes) == sorted(set(codes))
    assert 0 not in codes


def test_exit_codes_are_documented():
    rows = [
        [cell.strip(" `") for cell in line.split("|")[1:-1]]
        for line in (ROOT / "docs/reference/exit-codes.md").read_text("utf-8").splitlines()
        if line.startswith("| ") and line.split("|")[1].strip().isdigit()
    ]
    documented = {(int(code), raised) for code, _, raised, _ in rows}
    raised = {(each.exit_code, each.__name__) for each in every_error() if "exit_code" in vars(each)}
    assert documented == raised | {(0, ""), (errors.EXIT_CODE_OF_A_BUG, "")}


def test_python_m_build_is_refused_with_what_to_run_instead():
    refused = subprocess.run([sys.executable, "-m", "build"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "pyproject-build" in refused.stderr.splitlines()[-1]
