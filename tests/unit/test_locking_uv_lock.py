import pytest

from build.errors import InputError
from build.locking.locks import read_locks
from build.model import Runtime, Target
from tests.builders import ARM, PY313, X86, function_spec, layer_spec, make_wheel, make_workspace, write_files

SHA = "0" * 64
INDEX = 'source = { registry = "https://index.example.invalid/simple" }'
FILES = f'wheels = [{{ url = "https://example.invalid/x.whl", hash = "sha256:{SHA}" }}]'


def pyproject(*dependencies, more=""):
    return f'[project]\nname = "orders"\nversion = "0"\ndependencies = {list(dependencies)}\n{more}'


def package(name, version="1.0", dependencies="", *, source=INDEX, files=FILES, more=""):
    edges = f"dependencies = [{dependencies}]\n" if dependencies else ""
    return f'[[package]]\nname = "{name}"\nversion = "{version}"\n{source}\n{edges}{files}\n{more}\n'


def root(dependencies, *, where=".", more=""):
    return package("orders", "0", dependencies, source=f'source = {{ virtual = "{where}" }}', files="", more=more)


def lock(*packages, python=">=3.10", more=""):
    return f'version = 1\nrevision = 3\nrequires-python = "{python}"\n{more}\n' + "".join(packages)


def read(tmp_path, wanted, text, target=X86, **others):
    folder = write_files(tmp_path / "functions/orders", {"pyproject.toml": wanted, "uv.lock": text, **others})
    (read,) = read_locks(make_workspace(tmp_path, functions=(function_spec(folder, target=target),))).values()
    return read


def pins(lock, target=X86):
    return {pin.name: pin.version for pin in lock.selected(target)}


def refused(tmp_path, *arguments, **others):
    with pytest.raises(InputError) as caught:
        read(tmp_path, *arguments, **others)
    return caught.value.facts


def test_only_what_the_project_itself_needs_is_reached(tmp_path):
    text = lock(
        root(
            '{ name = "a" }',
            more='[package.optional-dependencies]\nfast = [{ name = "extra" }]\n'
            '[package.dev-dependencies]\ndev = [{ name = "tests" }]',
        ),
        package("a", dependencies='{ name = "b" }'),
        *(package(name) for name in ("b", "extra", "tests")),
    )
    assert pins(read(tmp_path, pyproject("a"), text)) == {"a": "1.0", "b": "1.0"}


def test_markers_on_edges_are_those_of_the_target(tmp_path):
    text = lock(
        root(
            "{ name = 'w', marker = \"sys_platform == 'win32'\" },"
            "{ name = 'a', marker = \"platform_machine == 'aarch64'\" },"
            "{ name = 'n', marker = \"python_full_version >= '3.12'\" },"
            "{ name = 'c', marker = \"implementation_name == 'pypy'\" }"
        ),
        *(package(name) for name in "wanc"),
    )
    wanted = pyproject("n")
    assert pins(read(tmp_path, wanted, text)) == {"n": "1.0"}
    assert pins(read(tmp_path, wanted, text, ARM), ARM) == {"a": "1.0", "n": "1.0"}


def test_the_same_pins_hold_for_every_target_that_needs_them_and_no_other(tmp_path):
    text = lock(
        root("{ name = 'a' }, { name = 'b', marker = \"platform_machine == 'aarch64'\" }"), package("a"), package("b")
    )
    folder = write_files(tmp_path / "layers/data", {"pyproject.toml": pyproject("a"), "uv.lock": text})
    layer = layer_spec(folder, runtimes=(Runtime(12), PY313))
    (got,) = read_locks(make_workspace(tmp_path, layers=(layer,))).values()
    assert [pins(got, target) == {"a": "1.0"} for target in layer.targets] == [True, True, False, False]
    assert pins(got, ARM) == {"a": "1.0", "b": "1.0"}


def test_of_several_versions_the_edge_names_the_one_for_the_target(tmp_path):
    text = lock(
        root(
            "{ name = 'n', version = '1.0', marker = \"python_full_version < '3.12'\" },"
            "{ name = 'n', version = '2.0', marker = \"python_full_version >= '3.12'\" }"
        ),
        package("n", "1.0", more="resolution-markers = [\"python_full_version < '3.12'\"]"),
        package("n", "2.0", more="resolution-markers = [\"python_full_version >= '3.12'\"]"),
    )
    old = Target(Runtime(11), X86.architecture)
    assert pins(read(tmp_path, pyproject("n"), text)) == {"n": "2.0"}
    assert pins(read(tmp_path, pyproject("n"), text, old), old) == {"n": "1.0"}


@pytest.mark.parametrize("first", ["1.0", "2.0"])
def test_where_the_edge_names_no_version_the_markers_of_the_versions_tell(tmp_path, first):
    """As for a wish whose only fork is the version: the edges of the project have no marker of their own."""
    versions = [
        package("n", "1.0", more="resolution-markers = [\"python_full_version < '3.12'\", \"os_name == 'nt'\"]"),
        package("n", "2.0", more="resolution-markers = [\"python_full_version >= '3.12'\"]"),
    ]
    text = lock(root("{ name = 'n' }"), *(versions if first == "1.0" else reversed(versions)))
    old = Target(Runtime(11), X86.architecture)
    assert pins(read(tmp_path, pyproject("n"), text)) == {"n": "2.0"}
    assert pins(read(tmp_path, pyproject("n"), text, old), old) == {"n": "1.0"}


def test_extras_bring_their_own_dependencies_and_conflicting_ones_that_nobody_asked_for_do_not(tmp_path):
    text = lock(
        root('{ name = "a", extra = ["fast"] }'),
        package(
            "a",
            more="[package.optional-dependencies]\nslow = [{ name = 'slow' }]\n"
            "fast = [{ name = 'c', version = '1', marker = \"extra == 'extra-6-orders-cpu'\" },"
            "{ name = 'c', version = '2', marker = \"extra != 'extra-6-orders-cpu'\" }]",
        ),
        package("slow"),
        package("c", "1"),
        package("c", "2"),
        more='conflicts = [[{ package = "orders", extra = "cpu" }, { package = "orders", extra = "gpu" }]]',
    )
    assert pins(read(tmp_path, pyproject("a[fast]"), text)) == {"a": "1.0", "c": "2"}


def test_circles_end(tmp_path):
    text = lock(
        root('{ name = "a" }'),
        package("a", dependencies='{ name = "b" }'),
        package("b", dependencies='{ name = "a" }, { name = "orders" }'),
    )
    assert pins(read(tmp_path, pyproject("a"), text)) == {"a": "1.0", "b": "1.0"}


def test_a_project_of_the_repository_is_a_folder_and_its_content_is_in_the_locks_digest(tmp_path):
    files = {"pyproject.toml": '[project]\nname = "Shared.Code"\nversion = "0.3"\n', "shared.py": "X = 1\n"}
    shared = write_files(tmp_path / "libs/shared", files)
    local = package("shared-code", "0.2", source='source = { editable = "../../libs/shared" }', files="")
    text = lock(root('{ name = "shared-code" }'), local)
    first = read(tmp_path, pyproject("shared-code"), text)
    (pin,) = first.selected(X86)
    assert (pin.name, pin.version, pin.folder, pin.sha256s) == ("shared-code", "0.3", shared, frozenset())
    assert first.beside == (shared,)
    assert read(tmp_path, pyproject("shared-code"), text).digest == first.digest
    write_files(shared, {"shared.py": "X = 2\n"})
    assert read(tmp_path, pyproject("shared-code"), text).digest != first.digest


def test_a_virtual_project_is_not_shipped_but_what_it_needs_is(tmp_path):
    virtual = package(
        "virt",
        dependencies="{ name = 'a' }, { name = 'w', marker = \"sys_platform == 'win32'\" }",
        source='source = { virtual = "../virt" }',
        files="",
    )
    got = read(tmp_path, pyproject("virt"), lock(root('{ name = "virt" }'), virtual, package("a"), package("w")))
    assert pins(got) == {"a": "1.0"}
    assert [str(wish) for wish in got.wanted] == ["a", 'w; sys_platform == "win32"']


def test_a_file_of_the_repository_and_a_url_are_pins_of_one_file(tmp_path):
    wheel = make_wheel(tmp_path / "vendor", "six", "1.17.0")
    vendored = package(
        "six",
        "1.17.0",
        source=f'source = {{ path = "../../vendor/{wheel.path.name}" }}',
        files=f'wheels = [{{ filename = "{wheel.path.name}", hash = "sha256:{wheel.digest.hex}" }}]',
    )
    far = package("far", source='source = { url = "https://example.invalid/far-1.0.tar.gz" }')
    got = read(tmp_path, pyproject("six", "far"), lock(root('{ name = "six" }, { name = "far" }'), vendored, far))
    by_name = {pin.name: pin for pin in got.selected(X86)}
    assert by_name["six"].url == wheel.path.as_uri()
    assert (by_name["far"].url, by_name["far"].sha256s) == ("https://example.invalid/far-1.0.tar.gz", {SHA})


def test_an_index_of_ones_own_reaches_pip(tmp_path):
    (pin,) = read(tmp_path, pyproject("a"), lock(root('{ name = "a" }'), package("a"))).pins
    assert pin.line == f"--extra-index-url https://index.example.invalid/simple\na==1.0 --hash=sha256:{SHA}\n"


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (
            package("a", source='source = { git = "https://me:secret@example.invalid/a?rev=1#abc" }', files=""),
            "functions/orders/uv.lock: a 1.0: expected files with a sha256, got a commit of a repository, "  # noqa: ISC004
            "so take a release, the URL of an archive, or a wheel or copy of it in this repository",
        ),
        (package("a", files=""), "functions/orders/uv.lock: a 1.0: expected the sha256 of its files, got none"),
        (
            package("a", source='source = { directory = "../../../elsewhere" }', files=""),
            "functions/orders/uv.lock: ../../../elsewhere: expected a place in this repository, got one outside of it, "  # noqa: ISC004
            "so copy it into this one",
        ),
    ],
)
def test_what_cannot_be_shipped_is_told_but_only_if_the_target_needs_it(tmp_path, bad, said):
    assert (
        refused(tmp_path, pyproject("a"), lock(root('{ name = "a" }'), bad))
        == (
            said,
            "functions/orders/uv.lock: expected a, got no pin for python3.13 on x86_64",
        )[:1]
    )
    windows = root("{ name = 'a', marker = \"sys_platform == 'win32'\" }")
    assert pins(read(tmp_path, pyproject("a ; sys_platform == 'win32'"), lock(windows, bad))) == {}


def test_a_lock_for_another_python_or_platform_is_told(tmp_path):
    (said,) = refused(tmp_path, pyproject(), lock(root(""), python=">=3.14"))
    assert said.startswith("functions/orders/uv.lock: expected a lock for python3.13, got one for Python >=3.14, so")
    (said,) = refused(tmp_path, pyproject(), lock(root(""), more="supported-markers = [\"sys_platform == 'darwin'\"]"))
    assert "expected a lock that supports python3.13 on x86_64" in said


def test_a_bound_within_the_minor_version_is_not_held_against_a_lock(tmp_path):
    """Which patch release AWS runs is not known."""
    assert pins(read(tmp_path, pyproject(), lock(root(""), python=">=3.13.5"))) == {}


def test_a_wish_that_was_added_after_locking_makes_it_stale(tmp_path):
    (said,) = refused(tmp_path, pyproject("a", "b>=2"), lock(root('{ name = "a" }'), package("a")))
    assert said == "functions/orders/uv.lock: expected b>=2, got no pin for python3.13 on x86_64"


def test_the_lock_of_a_workspace_serves_each_of_its_functions(tmp_path):
    text = lock(
        root('{ name = "a" }', where="functions/orders"),
        package("other", "0", '{ name = "b" }', source='source = { virtual = "functions/other" }', files=""),
        package("a"),
        package("b"),
    )
    write_files(tmp_path, {"uv.lock": text})
    folder = write_files(tmp_path / "functions/orders", {"pyproject.toml": pyproject("a")})
    (got,) = read_locks(make_workspace(tmp_path, functions=(function_spec(folder),))).values()
    assert pins(got) == {"a": "1.0"}
    assert got.beside == (tmp_path / "uv.lock",)


def test_names_that_the_project_overrides_are_told_to_whoever_compares_with_metadata(tmp_path):
    manifest = '[manifest]\noverrides = [{ name = "Old_Name", specifier = "==1.0" }]\nexcludes = ["gone"]'
    got = read(tmp_path, pyproject("a"), lock(root('{ name = "a" }'), package("a"), more=manifest))
    assert got.overrides == {"old-name", "gone"}


@pytest.mark.parametrize("wish", ["a>=2", "a @ https://example.invalid/a-2.zip"])
def test_an_override_is_what_was_meant_whatever_the_wish_says(tmp_path, wish):
    text = lock(
        root('{ name = "a" }'), package("a"), more='[manifest]\noverrides = [{ name = "a", specifier = "==1.0" }]'
    )
    assert pins(read(tmp_path, pyproject(wish), text)) == {"a": "1.0"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("version = 2\n", "expected version 1, got 2"),
        ("not toml", "cannot be read"),
        (lock(package("a")), "expected the project of this folder in it, got none"),
    ],
)
def test_a_lock_that_is_none_is_told(tmp_path, text, said):
    (fact,) = refused(tmp_path, pyproject("a"), text)
    assert said in fact


def test_what_only_a_build_tells_is_what_the_lock_says_that_it_told(tmp_path):
    """Many projects read their dependencies from elsewhere when they are built."""
    text = lock(
        root('{ name = "a" }, { name = "w", marker = "sys_platform == \'win32\'" }'),
        *(package(name, dependencies='{ name = "b" }') for name in ("a", "w")),
        package("b"),
    )
    dynamic = '[project]\nname = "orders"\ndynamic = ["dependencies", "version"]\n'
    got = read(tmp_path, dynamic, text)
    assert pins(got) == {"a": "1.0", "b": "1.0"}
    assert [wish.name for wish in got.wanted or ()] == ["a", "w"]
    write_files(tmp_path, {"uv.lock": text.replace('virtual = "."', 'virtual = "functions/orders"')})
    (tmp_path / "functions/orders/uv.lock").unlink()
    (got,) = read_locks(make_workspace(tmp_path, functions=(function_spec(tmp_path / "functions/orders"),))).values()
    assert pins(got) == {"a": "1.0", "b": "1.0"}
