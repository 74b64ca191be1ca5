"""What is in the layers of an image: each thing that Lambda refuses, and layers that it takes."""

import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from build.checks import image_layers
from build.images.assembled import layers_of
from build.images.manifests import put_on
from build.model import Finding, Severity
from tests.builders import make_wheel
from tests.checking import HANDLER, Repository
from tests.elves import make_elf
from tests.tiny_images import PINNED, PYTHON_START, Member, layer, make_image, tar, tree
from tests.unit.test_checks_images import AWS, CODE, of_images
from tests.unit.test_checks_secrets import BEGIN, BODY, KEY_ID
from tests.unit.test_images_assembled import archived

OWN = f"registry.example.invalid/team/python:1{PINNED}"
CLIENT = {"usr/local/lib/python3.13/site-packages/awslambdaric/__init__.py": ""}
SITE = "usr/local/lib/python3.13/site-packages"


def found(root: Path, *layers: bytes, **told: Any) -> list[Finding]:
    """What is found in the image of a Dockerfile."""
    repository = Repository(root)
    return of_images(repository.image(make_image(repository.store, *layers, **told)))


def only(root: Path, rule: str, *layers: bytes, **told: Any) -> str:
    (finding,) = found(root, *layers, **told)
    assert (finding.rule, finding.subject) == (rule, "functions/f")
    assert "functions/f/Dockerfile" in finding.hint
    return finding.message


def packed(members: list[Member]) -> bytes:
    return gzip.compress(tar(members), mtime=0)


def on_own(repository: Repository, *layers: bytes, is_here: bool = True, start: Any = PYTHON_START) -> Repository:
    """Let the function stand on a base of one's own."""
    base = make_image(repository.store if is_here else None, *layers, settings={"Cmd": None, "Entrypoint": start})
    image = put_on(base, [], command=["app.handler"], settings={})
    return repository.image(image, base=base, base_image=OWN)


# ── as archives ───────────────────────────────────────────────────────────────────────────────


def test_what_comes_before_its_folder_is_refused(tmp_path):
    members = tree(CODE)
    told = only(tmp_path, "image-folders", layer({}), packed([members[-1], *members[:-1]]))
    assert "got none before var/task/app.py in layer 2 (" in told
    assert "MissingParentDirectory" in told


def test_a_folder_in_another_layer_is_no_help(tmp_path):
    assert "var/task/app.py" in only(tmp_path, "image-folders", layer({"var/task/x": ""}), packed(tree(CODE)[-1:]))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (tar(tree(CODE)), "none"),
        (b"\x28\xb5\x2f\xfdrest", "zstd"),
        (b"nonsense" * 100, "no layer"),
        (layer(CODE)[:-12], "no layer: it is cut off"),
    ],
)
def test_what_gzip_did_not_compress_is_refused(tmp_path, data, kind):
    findings = {each.rule: each.message for each in found(tmp_path, layer(CODE), data)}
    assert list(findings) == ["image-compression"]
    assert kind in findings["image-compression"]
    assert "layer 2 (" in findings["image-compression"]


def test_several_gzip_members_are_a_warning(tmp_path):
    data = tar(tree(CODE))
    (finding,) = found(tmp_path, gzip.compress(data[:700]) + gzip.compress(data[700:]))
    assert (finding.rule, finding.severity) == ("image-members", Severity.WARNING)


def test_all_that_is_wrong_is_told_at_once(tmp_path):
    closed: Member = ("var/task/app.py", 0o600, HANDLER.encode())
    findings = found(tmp_path, tar([closed, *tree(CODE)]), config={"architecture": "arm64"}, settings={"Cmd": None})
    assert {each.rule for each in findings} >= {
        "image-architecture",
        "image-command",
        "image-compression",
        "image-folders",
    }


# ── readable by everybody ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("path", "mode"),
    [("var/task/app.py", 0o600), ("var/task", 0o700), ("var", 0o750)],
)
def test_code_that_not_everybody_may_read_is_refused(tmp_path, path, mode):
    members = [(name, mode if name == path else usual, data) for name, usual, data in tree(CODE)]
    assert only(tmp_path, "image-closed", packed(members)).endswith(f"got others for {path}")


def test_distributions_below_a_closed_home_are_refused(tmp_path):
    members: list[Member] = tree({**CODE, "root/.local/lib/python3.13/site-packages/six.py": ""})
    members = [(name, 0o700 if name == "root" else usual, data) for name, usual, data in members]
    assert "got others for root" in only(tmp_path, "image-closed", packed(members))


def test_what_the_system_keeps_to_itself_may_stay_closed(tmp_path):
    system: list[Member] = [("etc", 0o755, None), ("etc/shadow", 0o640, b""), ("root", 0o700, None)]
    assert found(tmp_path, packed(system), layer(CODE)) == []


def test_a_later_layer_may_open_what_was_closed(tmp_path):
    closed = [(name, 0o600 if data else 0o700, data) for name, _, data in tree(CODE)]
    assert found(tmp_path, packed(closed), layer(CODE)) == []


# ── handler and runtime client ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path",
    ["var/task/app.py", "var/task/app/__init__.py", "var/task/app.cpython-313-x86_64-linux-gnu.so", f"{SITE}/app.py"],
)
def test_the_handler_may_be_wherever_python_looks(tmp_path, path):
    assert found(tmp_path, layer({path: "x"})) == []


def test_the_working_directory_and_pythonpath_are_looked_into(tmp_path):
    settings = {"WorkingDir": "/srv/app", "Env": ["PATH=/bin", "PYTHONPATH=/srv/lib:/srv/code"]}
    assert found(tmp_path / "1", layer({"srv/app/app.py": ""}), settings=settings) == []
    assert found(tmp_path / "2", layer({"srv/code/app.py": ""}), settings=settings) == []


def test_a_handler_that_is_nowhere_is_refused_with_where_it_was_looked_for(tmp_path):
    told = only(tmp_path, "image-handler", layer({"var/task/other.py": ""}))
    assert "handler `app.handler`: expected app.py or app/__init__.py in its image, in one of /var/task" in told


def test_a_handler_that_a_later_layer_removes_is_nowhere(tmp_path):
    gone = packed([*tree({"var/task/x": ""}), ("var/task/.wh.app.py", 0o000, b"")])
    only(tmp_path, "image-handler", layer(CODE), gone)


def test_a_handler_in_a_lambda_layer_of_the_repository_is_found(tmp_path):
    repository = Repository(tmp_path).layer("shared", {"app.py": HANDLER}).function({}, layers=("shared",))
    assert of_images(repository.image(make_image(repository.store, layer({"var/task/x": ""})))) == []


def test_nobody_knows_what_another_entrypoint_calls(tmp_path):
    assert found(tmp_path, layer({"app/main": ""}), settings={"Entrypoint": ["/app/main"], "Cmd": None}) == []


def test_the_sources_of_a_dockerfile_need_not_be_in_src(tmp_path):
    repository = Repository(tmp_path).image(make_image(Repository(tmp_path).store, layer(CODE)))
    (tmp_path / "functions/f/src/app.py").unlink()
    (tmp_path / "functions/f/src").rmdir()
    assert repository.findings() == []


@pytest.mark.parametrize("start", [PYTHON_START, ("python3", "main.py")])
def test_python_that_is_started_without_the_runtime_client_is_refused(tmp_path, start):
    settings = {"Entrypoint": start, "Cmd": ["app.handler"]}
    told = only(tmp_path / "without", "image-client", layer(CODE), settings=settings)
    assert "expected awslambdaric there to ask Lambda for work, got none" in told
    assert found(tmp_path / "with", layer({**CODE, **CLIENT}), settings=settings) == []
    assert found(tmp_path / "adapter", layer({**CODE, "opt/extensions/adapter": ""}), settings=settings) == []


def test_on_a_base_of_ones_own_the_lock_may_bring_the_runtime_client(tmp_path):
    repository = Repository(tmp_path)
    (finding,) = of_images(on_own(repository, layer({"usr/bin/env": ""})))
    assert finding.rule == "image-client"
    assert finding.hint.startswith("add awslambdaric to functions/f/requirements.in")
    repository.function({}, wheels=[make_wheel(tmp_path / "wheels", "awslambdaric")])
    assert of_images(on_own(repository, layer({"usr/bin/env": ""}))) == []


# ── glibc ─────────────────────────────────────────────────────────────────────────────────────


def libc(*versions: str) -> dict[str, bytes]:
    """A C library that has symbols of these versions."""
    return {"lib64/libc.so.6": b"\x7fELF" + b"".join(f"\0GLIBC_{each}".encode() for each in versions) + b"\0rest"}


def needing(version: str, machine: str = "x86_64") -> bytes:
    return make_elf(machine=machine, needed=("libc.so.6",), versions={"libc.so.6": {f"GLIBC_{version}": "dlopen"}})


def test_compiled_code_that_needs_a_newer_glibc_than_the_base_has_is_refused(tmp_path):
    native = layer({**CODE, f"{SITE}/fast/core.so": needing("2.34"), f"{SITE}/fast/slow.so": needing("2.32")})
    told = only(tmp_path / "old", "image-glibc", layer(libc("2.2.5", "2.9", "2.31")), native)
    assert told == (
        "compiled code does not load in its image: expected at most GLIBC_2.31, which is there, "
        f"got GLIBC_2.34 for /{SITE}/fast/core.so, GLIBC_2.32 for /{SITE}/fast/slow.so"
    )
    assert found(tmp_path / "new", layer(libc("2.2.5", "2.34")), native) == []


def test_of_several_c_libraries_in_layers_the_one_that_is_left_counts(tmp_path):
    native = layer({**CODE, "var/task/core.so": needing("2.34")})
    assert found(tmp_path, layer(libc("2.31")), layer(libc("2.36")), native) == []


def test_musl_is_no_glibc(tmp_path):
    musl = layer({"lib/ld-musl-x86_64.so.1": ""})
    told = only(tmp_path, "image-glibc", musl, layer({**CODE, "var/task/core.so": needing("2.17")}))
    assert "expected musl, which is there, got GLIBC_2.17 for /var/task/core.so" in told


def test_code_for_other_machines_is_chosen_from_when_it_runs(tmp_path):
    assert found(tmp_path, layer({**CODE, **libc("2.31"), "var/task/arm.so": needing("2.39", "aarch64")})) == []


def test_the_c_library_of_this_machine_says_what_it_is():
    path = next(iter(sorted(Path("/lib").glob("*/libc.so.6"))), None)
    if path is None:
        pytest.skip("no glibc here")
    import platform

    with path.open("rb") as stream:
        ((kind, version),) = image_layers._Finds().look("lib/libc.so.6", stream)
    assert (kind, version) == ("libc", platform.libc_ver()[1])


def test_wheels_are_held_against_a_base_of_ones_own(tmp_path):
    repository = Repository(tmp_path)
    wheel = make_wheel(
        tmp_path / "wheels",
        "fast",
        files={"fast.cpython-313-x86_64-linux-gnu.so": needing("2.34")},
        tag="cp313-cp313-manylinux_2_34_x86_64",
    )
    stored = repository.store.wheel(wheel.digest, wheel.path.name)
    stored.parent.mkdir(parents=True)
    stored.write_bytes(wheel.path.read_bytes())
    repository.function({}, wheels=[wheel])
    (finding,) = of_images(on_own(repository, layer({**libc("2.31"), **CLIENT})))
    assert finding.rule == "image-glibc"
    assert "/var/task/fast.cpython-313-x86_64-linux-gnu.so" in finding.message
    assert "another `base_image` in functions/f/function.toml" in finding.hint
    assert of_images(on_own(repository, layer({**libc("2.36"), **CLIENT}))) == []


# ── secrets ───────────────────────────────────────────────────────────────────────────────────


def test_a_secret_in_a_layer_is_refused_also_where_a_later_one_removes_it(tmp_path):
    gone = packed([("srv", 0o755, None), ("srv/.wh..npmrc", 0o000, b"")])
    text = f"# of the team\n//example.invalid/:_authToken=npm{'_' + 'q8Zr3TnW5bXy7LcK1vJm9HdP2sFg4RtE6uYo'}\n"
    told = only(tmp_path, "image-secret", layer({**CODE, "srv/.npmrc": text}), gone)
    assert told.startswith("a token of a package index would ship in its image: /srv/.npmrc:2 in layer 1 (")
    assert "q8Zr3" not in told


def test_files_of_logins_are_refused_by_their_name(tmp_path):
    login = "[default]\nname = me\n"
    assert "/srv/.aws/credentials:1" in only(tmp_path, "image-secret", layer({**CODE, "srv/.aws/credentials": login}))


@pytest.mark.parametrize(
    ("told", "place"),
    [
        ({"settings": {"Env": [f"KEY={KEY_ID}"]}}, "ENV KEY"),
        ({"settings": {"Labels": {"key": KEY_ID}}}, "LABEL key"),
        ({"config": {"history": [{"created_by": f"RUN |1 KEY={KEY_ID} make"}]}}, "row 1 of its history"),
    ],
)
def test_a_secret_in_what_an_image_says_of_itself_is_refused_and_not_shown(tmp_path, told, place):
    message = only(tmp_path, "image-secret", layer(CODE), **told)
    assert message == f"an AWS access key id would ship in its image: {place}"


def test_the_hint_says_how_a_build_gets_secrets(tmp_path):
    (finding,) = found(tmp_path, layer({**CODE, "var/task/key.pem": f"{BEGIN.format('RSA ')}\n{BODY}"}))
    assert finding.hint.startswith("revoke it; give it to the build by `RUN --mount=type=secret`")


def test_what_distributions_and_the_system_bring_is_not_asked_for(tmp_path):
    key = f"{BEGIN.format('RSA ')}\n{BODY}"
    files = {
        **CODE,
        "var/task/tornado/test.key": key,
        "var/task/tornado-6.0.dist-info/RECORD": "tornado/test.key,sha256=x,9\n",
        "usr/lib/python3/test/key.pem": key,
        "etc/ssl/private/sample.key": key,
        "var/lib/dpkg/info/sample.list": "/.\n/etc\n/etc/ssl/private/sample.key\n",
        f"{SITE}/six/key.pem": key,
    }
    assert found(tmp_path / "brought", layer(files)) == []
    assert "/var/task/other.key:1" in only(
        tmp_path / "own", "image-secret", layer({**files, "var/task/other.key": key})
    )


def test_a_comment_in_the_file_allows_it(tmp_path):
    assert found(tmp_path, layer({**CODE, "etc/sample": f"{KEY_ID}  # slipway: allow-secret\n"})) == []


# ── what is looked into, and when ─────────────────────────────────────────────────────────────


def test_layers_of_a_base_of_ones_own_that_are_not_here_are_a_warning_and_the_rest_is_judged(tmp_path):
    repository = on_own(Repository(tmp_path), layer({**CLIENT, **libc("2.31")}), is_here=False)
    (finding,) = of_images(repository)
    assert (finding.rule, finding.severity) == ("image-unseen", Severity.WARNING)
    assert finding.message.startswith("1 of 1 layers below its own are not here, so nobody looked into them: layer 1 (")
    assert "`invoke image.pull-base`" in finding.hint
    on_own(repository, layer({**CLIENT, **libc("2.31")}), is_here=False, start=("sh",))
    assert of_images(repository) == [finding]


def test_once_they_are_here_they_are_looked_into(tmp_path):
    repository = on_own(Repository(tmp_path), layer({"usr/bin/env": ""}), is_here=False)
    assert [each.rule for each in of_images(repository)] == ["image-unseen"]
    make_image(repository.store, layer({"usr/bin/env": ""}))
    assert [each.rule for each in of_images(repository)] == ["image-client"]


def test_layers_of_aws_need_not_be_here(tmp_path):
    repository = Repository(tmp_path)
    base = make_image(None, layer({"usr/bin/env": ""}), settings={"Cmd": None})
    image = put_on(base, [], command=["app.handler"], settings={})
    assert of_images(repository.image(image, base=base, base_image=AWS)) == []


def test_a_layer_is_read_once_and_remembered_by_its_digest(tmp_path, monkeypatch):
    orphan = packed(tree(CODE)[-1:])
    before = found(tmp_path, orphan)
    monkeypatch.setattr(image_layers, "survey_layer", None)
    repository = Repository(tmp_path)
    repository.function({"more.py": ""}).image(make_image(repository.store, orphan, settings={"User": "1000"}))
    repository.store.blob(next(iter(make_image(None, orphan).layers)).digest).unlink()
    assert of_images(repository) == before


def test_lambda_layers_laid_over_a_dockerfile_are_ours_and_not_looked_into(tmp_path):
    repository = Repository(tmp_path)
    (part, _) = archived(tmp_path, {"root.key": f"{BEGIN.format('RSA ')}\n{BODY}".encode()}, {"x": b""})
    below = make_image(repository.store, layer(CODE))
    image = put_on(below, layers_of(part, repository.store), command=["app.handler"], settings={})
    assert of_images(repository.image(image, parts=(part,))) == []


# ── what rules about zips make of images ──────────────────────────────────────────────────────


def test_imports_may_be_served_by_a_base_of_ones_own_and_by_it_alone(tmp_path):
    repository = Repository(tmp_path).function({"app.py": f"import boto3, numpy\n{HANDLER}"})
    on_own(repository, layer({**CLIENT, f"{SITE}/numpy/__init__.py": ""}))
    (finding,) = repository.findings()
    assert finding.rule == "import-missing"
    assert "`boto3`" in finding.message


def test_imports_are_a_warning_where_the_base_is_not_here(tmp_path):
    repository = Repository(tmp_path).function({"app.py": f"import numpy\n{HANDLER}"})
    on_own(repository, layer(CLIENT), is_here=False)
    (finding,) = repository.findings("import-missing", "import-unseen")
    assert finding.rule == "import-unseen"
    assert OWN in finding.message


def test_what_a_dockerfile_installs_may_be_imported(tmp_path):
    repository = Repository(tmp_path).function({"app.py": f"import numpy\n{HANDLER}"})
    assert repository.image(make_image(repository.store, layer(CODE))).findings() == []


def test_libraries_may_be_in_a_base_of_ones_own(tmp_path):
    native = make_elf(needed=("libodd.so.1",), module="fast")
    files: Mapping[str, Any] = {"app.py": HANDLER}
    repository = Repository(tmp_path).function(files)
    (tmp_path / "functions/f/src/fast.so").write_bytes(native)
    assert [each.rule for each in repository.findings()] == ["compiled-code"]
    on_own(repository, layer(CLIENT))
    (finding,) = repository.findings()
    assert finding.rule == "compiled-code-doubtful"
    assert OWN in finding.message


def test_a_base_of_ones_own_may_have_a_newer_glibc_than_the_runtime(tmp_path):
    repository = Repository(tmp_path).function({"app.py": HANDLER})
    (tmp_path / "functions/f/src/fast.so").write_bytes(needing("2.36"))
    assert [each.rule for each in repository.findings()] == ["compiled-code"]
    on_own(repository, layer({**CLIENT, **libc("2.36")}))
    assert [each.rule for each in repository.findings()] == ["compiled-code-doubtful"]
    on_own(repository, layer({**CLIENT, **libc("2.31")}))
    assert [each.rule for each in repository.findings()] == ["image-glibc", "compiled-code-doubtful"]
