import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from build.checks import check
from build.digest import Digest
from build.model import Architecture, Artifact, Build, Finding, Runtime, Severity, Target
from build.store.objects import Store
from tests.builders import function_spec, make_workspace, write_files

X86 = Architecture.X86_64
PY310 = Runtime(10)
NOTHING = Build(functions={}, layers={})


def built(root: Path, identity: str = "functions/f", members: tuple[str, ...] = ()) -> Artifact:
    path = root / f"{identity.replace('/', '-')}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for member in members:
            archive.writestr(member, "")
    return Artifact(
        identity=identity,
        key=identity.partition("/")[2],
        architectures=(X86,),
        path=path,
        digest=Digest("0" * 64),
        size_bytes=1,
        unzipped_bytes=1,
        source_bytes=1,
        bytecode_bytes=0,
        saved={},
        distributions=(),
        changed=True,
    )


def findings(
    root: Path,
    files: dict[str, str],
    *,
    handler: str = "app.handler",
    layers: tuple[str, ...] = (),
    members: tuple[str, ...] = (),
    layer_members: tuple[str, ...] = (),
    runtime: Runtime = PY310,
) -> tuple[Finding, ...]:
    folder = write_files(root / "functions/f", {"src/.keep": "", **files})
    spec = replace(function_spec(folder, target=Target(runtime, X86), layers=layers), handler=handler)
    workspace = make_workspace(root, functions=(spec,))
    held = {(name, X86): built(root, f"layers/{name}", layer_members) for name in layers if not name.startswith("arn:")}
    build = Build(functions={"f": built(root, members=members)}, layers=held)
    found = check(workspace, build, Store(root / "store"))
    return tuple(finding for finding in found if finding.rule.startswith("handler"))


def rules(*args, **kwargs) -> list[str]:
    return [finding.rule for finding in findings(*args, **kwargs)]


@pytest.mark.parametrize(
    "source",
    [
        "def handler(event, context): ...",
        "def handler(event, context, /): ...",
        "def handler(event, context, more=None): ...",
        "def handler(event, context=None, *, log=None): ...",
        "def handler(*args): ...",
        "def handler(event, *rest): ...",
        "handler = lambda event, context: None",
        "class handler:\n    def __new__(cls, event, context): ...",
        "class App: ...\nhandler = App()",
        "handler: object = make()",
        "first, handler = make()",
        "from other import handler",
        "import other as handler",
        "from other import *",
        "def __getattr__(name): ...",
        "try:\n    from fast import handler\nexcept ImportError:\n    from slow import handler",
        "if True:\n    def handler(event, context): ...",
        "@decorated\ndef handler(anything): ...",
        "@asyncio_run\nasync def handler(event, context): ...",
        "async def handler(event, context): ...\nhandler = run(handler)",
        "text = '\\d'\ndef handler(event, context): ...",
    ],
)
def test_whatever_lambda_can_call_is_a_handler(tmp_path, source, recwarn):
    assert findings(tmp_path, {"src/app.py": source}) == ()
    assert not recwarn.list


@pytest.mark.parametrize(
    "signature",
    ["()", "(event)", "(event, context, third)", "(event, context, *, log)", "(*, event, context)", "(event, **rest)"],
)
def test_a_handler_that_does_not_take_two_positional_arguments_is_an_error(tmp_path, signature):
    (finding,) = findings(tmp_path, {"src/app.py": f"\ndef handler{signature}: ..."})
    assert (finding.rule, finding.severity, finding.subject) == ("handler-arguments", Severity.ERROR, "functions/f")
    assert finding.message == (
        f"handler `app.handler`: expected two positional arguments (event, context), got {signature} at src/app.py:2"
    )


def test_a_lambda_expression_is_held_to_two_arguments_too(tmp_path):
    assert rules(tmp_path, {"src/app.py": "handler = lambda event: None"}) == ["handler-arguments"]


def test_an_async_handler_is_an_error(tmp_path):
    (finding,) = findings(tmp_path, {"src/app.py": "async def handler(event, context): ..."})
    assert (finding.rule, finding.severity) == ("handler-async", Severity.ERROR)
    assert "async handlers are never awaited by Lambda" in finding.message


@pytest.mark.parametrize(
    ("source", "rule", "place"),
    [
        ("from impl import handler", "handler-async", "src/impl.py:1"),
        ("from impl import one as handler", "handler-arguments", "src/impl.py:2"),
        ("from impl.deep import handler", "handler-generator", "src/impl/deep.py:1"),
    ],
)
def test_a_handler_that_another_module_of_the_folder_defines_is_judged_there(tmp_path, source, rule, place):
    deep = {"src/impl/__init__.py": "", "src/impl/deep.py": "def handler(event, context): yield 1"}
    flat = {"src/impl.py": "async def handler(event, context): ...\ndef one(event): ..."}
    (finding,) = findings(tmp_path, {"src/app.py": source, **(deep if "deep" in source else flat)})
    assert (finding.rule, finding.severity) == (rule, Severity.ERROR)
    assert place in finding.message


def test_a_relative_import_of_a_handler_is_followed_too(tmp_path):
    files = {"src/pkg/__init__.py": "from .impl import handler", "src/pkg/impl.py": "def handler(event): ..."}
    assert rules(tmp_path, files, handler="pkg.handler") == ["handler-arguments"]


@pytest.mark.parametrize(
    "source",
    [
        "import sys\nif sys.version_info >= (3, 8):\n    {good}\nelse:\n    {bad}",
        "import sys\nif sys.platform == 'win32':\n    {bad}\nelse:\n    {good}",
        "try:\n    import json\n    {good}\nexcept ImportError:\n    {bad}",
        "{good}\ntry:\n    import json\nexcept ImportError:\n    {bad}",
    ],
)
def test_of_several_definitions_the_one_that_lambda_comes_to_is_judged(tmp_path, source):
    good, bad = "def handler(event, context): ...", "def handler(event): ..."
    assert rules(tmp_path / "good", {"src/app.py": source.format(good=good, bad=bad)}) == []
    assert rules(tmp_path / "bad", {"src/app.py": source.format(good=bad, bad=good)}) == ["handler-arguments"]


@pytest.mark.parametrize("body", ["yield 1", "for x in event:\n        yield x", "return (yield from event)"])
def test_a_handler_that_yields_is_an_error(tmp_path, body):
    (finding,) = findings(tmp_path, {"src/app.py": f"def handler(event, context):\n    {body}"})
    assert (finding.rule, finding.severity) == ("handler-generator", Severity.ERROR)
    assert finding.message.endswith("got a generator from the `yield` in def at src/app.py:1")


@pytest.mark.parametrize(
    "source",
    [
        "@as_list\ndef handler(event, context):\n    yield 1",
        "def handler(event, context):\n    def parts():\n        yield 1\n    return list(parts())",
        "def handler(event, context):\n    return [x for x in event]",
    ],
)
def test_a_handler_that_yields_under_a_decorator_or_in_another_function_is_none_of_ours(tmp_path, source):
    assert findings(tmp_path, {"src/app.py": source}) == ()


def test_a_missing_module_names_the_nearest_one(tmp_path):
    (finding,) = findings(tmp_path, {"src/apps.py": ""})
    assert (finding.rule, finding.severity) == ("handler-module", Severity.ERROR)
    assert finding.message == (
        "handler `app.handler`: expected src/app.py or src/app/__init__.py, got neither; did you mean `apps`?"
    )
    assert "functions/f/function.toml" in finding.hint


def test_a_missing_function_names_the_nearest_one(tmp_path):
    (finding,) = findings(tmp_path, {"src/app.py": "def handle(event, context): ..."})
    assert (finding.rule, finding.severity) == ("handler-function", Severity.ERROR)
    assert finding.message == (
        "handler `app.handler`: expected `handler` in src/app.py, got no such name; did you mean `handle`?"
    )


def test_a_missing_function_with_nothing_near_lists_the_functions(tmp_path):
    (finding,) = findings(tmp_path, {"src/app.py": "X = 1\ndef main(event, context): ...\ndef zig(): ..."})
    assert finding.message.endswith("got no such name; its functions: main, zig")


def test_a_name_bound_only_within_a_function_or_without_a_value_is_not_defined(tmp_path):
    assert rules(tmp_path, {"src/app.py": "def main():\n    handler = 1\nhandler: int"}) == ["handler-function"]


@pytest.mark.parametrize(
    ("handler", "path"),
    [
        ("app.handler", "src/app/__init__.py"),
        ("pkg.mod.handler", "src/pkg/mod.py"),
        ("pkg.mod.handler", "src/pkg/mod/__init__.py"),
    ],
)
def test_a_module_may_be_in_a_package(tmp_path, handler, path):
    assert rules(tmp_path, {path: "def handler(event, context): ..."}, handler=handler) == []
    assert rules(tmp_path, {path: "def main(event, context): ..."}, handler=handler) == ["handler-function"]


def test_a_package_goes_before_a_module_of_its_name_as_in_python(tmp_path):
    files = {"src/app.py": "def handler(event, context): ...", "src/app/__init__.py": ""}
    assert rules(tmp_path, files) == ["handler-function"]


def test_a_folder_alone_is_no_module(tmp_path):
    assert rules(tmp_path, {"src/app/other.py": ""}) == ["handler-module"]


def test_the_case_of_a_file_name_counts_as_on_lambda(tmp_path):
    assert rules(tmp_path, {"src/App.py": "def handler(event, context): ..."}) == ["handler-module"]


def test_a_syntax_error_is_left_to_the_build_which_has_the_runtimes_python(tmp_path):
    assert findings(tmp_path, {"src/app.py": "def handler[?](event, context): ..."}) == ()


@pytest.mark.parametrize("member", ["vendor/entry.py", "vendor/entry.pyc", "vendor/entry/__init__.py"])
def test_a_handler_may_come_with_a_distribution(tmp_path, member):
    assert findings(tmp_path, {}, handler="vendor.entry.handler", members=(member,)) == ()


@pytest.mark.parametrize("member", ["python/vendor.py", "python/lib/python3.10/site-packages/vendor/__init__.py"])
def test_a_handler_may_come_with_a_layer(tmp_path, member):
    assert rules(tmp_path, {}, handler="vendor.handler", layers=("data",), layer_members=(member,)) == []


def test_a_module_that_a_layer_holds_where_python_does_not_look_is_missing(tmp_path):
    assert rules(tmp_path, {}, handler="vendor.handler", layers=("data",), layer_members=("vendor.py",)) == [
        "handler-module"
    ]


def test_a_handler_that_may_be_in_a_layer_by_arn_is_a_warning(tmp_path):
    arn = "arn:aws:lambda:eu-central-1:123456789012:layer:datadog:7"
    (finding,) = findings(tmp_path, {}, handler="datadog_lambda.handler.handler", layers=(arn,))
    assert (finding.rule, finding.severity) == ("handler-unseen", Severity.WARNING)
    assert arn in finding.message


def test_before_a_build_a_module_not_under_src_is_only_a_warning(tmp_path):
    spec = function_spec(write_files(tmp_path / "functions/f", {"src/.keep": ""}))
    (finding,) = check(make_workspace(tmp_path, functions=(spec,)), NOTHING, Store(tmp_path / "store"))
    assert (finding.rule, finding.severity) == ("handler-unseen", Severity.WARNING)
