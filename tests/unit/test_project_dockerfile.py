"""Settings of functions whose image a Dockerfile describes."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from build.errors import InputError
from build.locking.locks import read_locks
from build.model import IMAGE, FunctionSpec
from build.options import Dockerfile
from build.project.contradictions import contradictions
from build.project.discovery import discover
from tests.builders import function_spec, make_workspace, write_files
from tests.unit.test_project_settings import function

IMAGE_TOML = 'description = "x"\nruntime = "python3.13"\narchitecture = "x86_64"\npackage = "image"\n'


def spec(root: Path, toml: str = IMAGE_TOML, **files: str) -> FunctionSpec:
    named = {"function.toml": toml, "src/app.py": "", **files}
    folder = {f"functions/orders/{name}": text for name, text in named.items()}
    write_files(root, {"slipway.toml": 'name = "shop"\n', **folder})
    (found,) = discover(root, "local").functions
    return found


def test_a_dockerfile_beside_an_image_is_built_with_what_the_settings_say(tmp_path):
    table = '[dockerfile]\ntarget = "last"\narguments = { WORD = "a b" }\nsecrets = { token = "env=TOKEN" }\n'
    assert spec(tmp_path, IMAGE_TOML + table, Dockerfile="FROM scratch\n").dockerfile == Dockerfile(
        target="last", arguments={"WORD": "a b"}, secrets={"token": "env=TOKEN"}
    )


def test_an_image_has_one_as_soon_as_there_is_a_dockerfile(tmp_path):
    assert spec(tmp_path).dockerfile is None
    assert spec(tmp_path, Dockerfile="FROM scratch\n").dockerfile == Dockerfile()


def test_with_a_dockerfile_the_code_may_be_anywhere(tmp_path):
    spec(tmp_path, Dockerfile="FROM scratch\n")
    shutil.rmtree(tmp_path / "functions/orders/src")
    assert discover(tmp_path, "local").functions[0].dockerfile == Dockerfile()


def test_a_zip_minds_no_dockerfile(tmp_path):
    toml = IMAGE_TOML.replace("image", "zip")
    assert spec(tmp_path, toml, Dockerfile="FROM scratch\n").dockerfile is None


def test_settings_without_a_dockerfile_are_refused(tmp_path):
    with pytest.raises(InputError) as refusal:
        spec(tmp_path, f"{IMAGE_TOML}[dockerfile]\n")
    assert "dockerfile: expected functions/orders/Dockerfile, which it is for, got none" in str(refusal.value)


def test_settings_beside_a_zip_are_refused(tmp_path):
    zipped = replace(function_spec(tmp_path / "functions/f"), dockerfile=Dockerfile())
    (line,) = contradictions(zipped)
    assert line.endswith('dockerfile: expected package = "image" beside it, got a zip')


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('arguments = { "a-b" = "c" }', "expected letters, digits and underscores, no digit first"),
        ("arguments = { A = 1 }", "expected a string, got 1"),
        ('target = "a b"', "expected letters, digits, `_`, `.` and `-`"),
        ('secrets = { "a,b" = "env=A" }', "expected letters, digits, `_`, `.` and `-`"),
        ('secrets = { a = "src=x,y" }', "expected `env=VARIABLE`, or `src=FILE` without a comma"),
        ('secrets = { a = "the-value-itself" }', "expected `env=VARIABLE`, or `src=FILE` without a comma"),
        ('context = ".."', "unknown key"),
    ],
)
def test_wrong_settings_are_refused(table, message):
    (line,) = function(f"[dockerfile]\n{table}\n")
    assert line.startswith("f.toml: dockerfile.")
    assert message in line
    assert "the-value-itself" not in line


def test_what_a_dockerfile_installs_is_in_no_lock_of_ours(tmp_path):
    write_files(tmp_path / "functions/orders", {"Dockerfile": "FROM scratch\n", "requirements.txt": "six\n"})
    plain = replace(function_spec(tmp_path / "functions/orders"), package=IMAGE)
    (lock,) = read_locks(make_workspace(tmp_path, functions=(replace(plain, dockerfile=Dockerfile()),))).values()
    assert lock.pins == ()
    with pytest.raises(InputError, match="the locks do not fit"):
        read_locks(make_workspace(tmp_path, functions=(plain,)))
