import pytest

from build.errors import InputError
from build.locking.locks import read_locks
from tests.builders import ARM, X86, function_spec, make_wheel, make_workspace, write_files

SHA = "0" * 64
HEAD = 'lock-version = "1.0"\ncreated-by = "tests"\n'


def package(name, version="1.0", more="", *, sha=f'sha256 = "{SHA}"', index='index = "https://example.invalid/simple"'):
    url = f"https://example.invalid/{name}-{version}-py3-none-any.whl"
    wheels = f'wheels = [{{ url = "{url}", hashes = {{ {sha} }} }}]'
    return f'[[packages]]\nname = "{name}"\nversion = "{version}"\n{index}\n{wheels}\n{more}\n'


def read(tmp_path, text, target=X86, name="pylock.toml", **others):
    folder = write_files(tmp_path / "functions/orders", {name: text, **others})
    (read,) = read_locks(make_workspace(tmp_path, functions=(function_spec(folder, target=target),))).values()
    return read


def pins(lock, target=X86):
    return {pin.name: pin.version for pin in lock.selected(target)}


def refused(tmp_path, *arguments, **others):
    with pytest.raises(InputError) as caught:
        read(tmp_path, *arguments, **others)
    return caught.value.facts


def test_markers_are_those_of_the_target_and_neither_extras_nor_other_groups_ship(tmp_path):
    text = (
        'extras = ["fast"]\ndependency-groups = ["dev"]\ndefault-groups = ["main"]\n'
        + package("a", more="marker = \"'main' in dependency_groups\"")
        + package("d", more="marker = \"'dev' in dependency_groups\"")
        + package("e", more="marker = \"'fast' in extras\"")
        + package("w", more="marker = \"sys_platform == 'win32'\"")
        + package("m", more="marker = \"platform_machine == 'aarch64' and 'main' in dependency_groups\"")
    )
    assert pins(read(tmp_path, HEAD + text)) == {"a": "1.0"}
    assert pins(read(tmp_path, HEAD + text, ARM), ARM) == {"a": "1.0", "m": "1.0"}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("requirements.in", "b>=2\n"),
        ("pyproject.toml", '[project]\nname = "o"\nversion = "0"\ndependencies = ["b>=2"]\n'),
    ],
)
def test_it_is_held_against_what_is_wanted(tmp_path, file, text):
    said = refused(tmp_path, HEAD + package("a"), **{file: text})
    assert said == ("functions/orders/pylock.toml: expected b>=2, got no pin for python3.13 on x86_64",)


def test_alone_it_is_all_that_is_wanted(tmp_path):
    assert read(tmp_path, HEAD + package("a")).wanted is None


def test_a_name_of_its_own_is_fine_and_the_folders_own_goes_before_others(tmp_path):
    assert pins(read(tmp_path, HEAD + package("a"), name="pylock.any.toml")) == {"a": "1.0"}
    assert pins(read(tmp_path, HEAD + package("b"), name="pylock.orders.toml")) == {"b": "1.0"}
    assert pins(read(tmp_path, HEAD + package("c"), name="pylock.toml")) == {"c": "1.0"}


def test_an_environment_or_a_python_that_it_is_not_for_is_told(tmp_path):
    (said,) = refused(tmp_path, HEAD + "environments = [\"sys_platform == 'darwin'\"]\npackages = []\n")
    assert "expected a lock that supports python3.13 on x86_64" in said
    (said,) = refused(tmp_path, HEAD + 'requires-python = ">=3.14"\npackages = []\n')
    assert "expected a lock for python3.13, got one for Python >=3.14" in said
    (said,) = refused(tmp_path, HEAD + package("a", more='requires-python = "<3.12"'))
    assert "a: expected a lock for python3.13" in said


def test_places_are_understood(tmp_path):
    wheel = make_wheel(tmp_path / "vendor", "six", "1.17.0")
    write_files(tmp_path / "libs/shared", {"pyproject.toml": '[project]\nname = "shared"\nversion = "0.3"\n'})
    text = (
        '[[packages]]\nname = "shared"\n[packages.directory]\npath = "../../libs/shared"\neditable = true\n'
        f'[[packages]]\nname = "six"\n[packages.archive]\npath = "../../vendor/{wheel.path.name}"\n'
        f'[packages.archive.hashes]\nsha256 = "{wheel.digest.hex}"\n'
        '[[packages]]\nname = "far"\nversion = "1"\n[packages.archive]\nurl = "https://example.invalid/far-1.zip"\n'
        f'[packages.archive.hashes]\nsha256 = "{SHA}"\n'
    )
    by_name = {pin.name: pin for pin in read(tmp_path, HEAD + text).pins}
    assert by_name["shared"].folder == tmp_path / "libs/shared"
    assert (by_name["six"].url, by_name["six"].version) == (wheel.path.as_uri(), "1.17.0")
    assert by_name["far"].url == "https://example.invalid/far-1.zip"


def test_a_file_that_only_the_lock_knows_is_taken_from_there_and_is_the_targets(tmp_path):
    wheels = [f"a-1.0-cp313-cp313-manylinux_2_28_{machine}.whl" for machine in ("x86_64", "aarch64")]
    listed = ", ".join(f'{{ url = "https://example.invalid/{w}", hashes = {{ sha256 = "{SHA}" }} }}' for w in wheels)
    text = f'{HEAD}[[packages]]\nname = "a"\nversion = "1.0"\nwheels = [{listed}]\n'
    assert read(tmp_path, text).pins[0].url == f"https://example.invalid/{wheels[0]}"
    assert read(tmp_path, text, ARM).pins[0].url == f"https://example.invalid/{wheels[1]}"


def test_what_cannot_be_shipped_is_told(tmp_path):
    vcs = (
        '[[packages]]\nname = "g"\n[packages.vcs]\ntype = "git"\nurl = "https://example.invalid/g"\ncommit-id = "abc"\n'
    )
    said = refused(tmp_path, HEAD + vcs + package("n", sha='md5 = "00"'))
    assert "g: expected files with a sha256, got a commit of a repository" in said[0]
    assert said[1].startswith("functions/orders/pylock.toml: n 1.0: expected the sha256 of its files, got none")


@pytest.mark.parametrize("text", ["", "[[", 'lock-version = "2.0"\ncreated-by = "x"\npackages = []\n'])
def test_a_lock_that_is_none_is_told(tmp_path, text):
    (said,) = refused(tmp_path, text)
    assert said.startswith("functions/orders/pylock.toml: cannot be read: ")


def test_names_as_the_index_has_them_are_understood(tmp_path):
    """As pipenv writes them, against the standard."""
    assert pins(read(tmp_path, HEAD + package("Jaraco.Classes"))) == {"jaraco-classes": "1.0"}


def test_what_pip_locked_for_its_own_machine_alone_is_told_for_others(tmp_path):
    def listed(tag):
        return (
            f'[[packages]]\nname = "{tag[:2]}"\nversion = "1.0"\nwheels = [{{ name = "{tag[:2]}-1.0-{tag}.whl", '
            f'url = "https://example.invalid/{tag[:2]}-1.0-{tag}.whl", hashes = {{ sha256 = "{SHA}" }} }}]\n'
        )

    text = 'lock-version = "1.0"\ncreated-by = "pip"\n' + listed("py3-none-any")
    assert pins(read(tmp_path, text, ARM), ARM) == {"py": "1.0"}
    text += listed("cp313-cp313-manylinux_2_17_x86_64")
    assert pins(read(tmp_path, text)) == {"py": "1.0", "cp": "1.0"}
    (said,) = refused(tmp_path, text, ARM)
    assert said == (
        "functions/orders/pylock.toml: cp: expected a wheel for python3.13 on arm64, got only those of the machine "
        "that `pip lock` ran on, so write what is wanted into requirements.in beside it"
    )
