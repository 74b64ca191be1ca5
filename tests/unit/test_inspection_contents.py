"""What an artifact holds, from its zip alone."""

import zipfile

import pytest

from build.errors import InputError
from build.inspection.contents import bytes_by_kind, read_contents
from tests.artifacts import make_artifact
from tests.builders import make_wheel


def owners(contents):
    return {file.path: file.owner.name if file.owner else None for file in contents.files}


def test_every_file_belongs_to_the_distribution_whose_record_has_it(tmp_path):
    wheels = [make_wheel(tmp_path, "alpha"), make_wheel(tmp_path, "be-ta", "2.0")]
    contents = read_contents(make_artifact(tmp_path / "a.zip", wheels=wheels, src={"app.py": "x = 1"}).path)
    found = owners(contents)
    assert (found["alpha/__init__.py"], found["be_ta/__init__.py"], found["app.py"]) == ("alpha", "be-ta", None)
    assert found["alpha-1.0.dist-info/METADATA"] == "alpha"
    assert [(each.name, each.version) for each in contents.distributions] == [("alpha", "1.0"), ("be-ta", "2.0")]


def test_bytecode_belongs_to_whom_its_module_belongs(tmp_path):
    wheel = make_wheel(tmp_path, "alpha")
    src = {
        "alpha/__pycache__/__init__.cpython-313.pyc": "x",
        "__pycache__/app.cpython-313.pyc": "y",
        "app.py": "",
    }
    found = owners(read_contents(make_artifact(tmp_path / "a.zip", wheels=[wheel], src=src).path))
    assert found["alpha/__pycache__/__init__.cpython-313.pyc"] == "alpha"
    assert found["__pycache__/app.cpython-313.pyc"] is None


def test_a_layer_keeps_its_distributions_below_python(tmp_path):
    wheel = make_wheel(tmp_path, "alpha")
    artifact = make_artifact(tmp_path / "a.zip", "layers/data", wheels=[wheel], folder="python", src={"own.py": ""})
    contents = read_contents(artifact.path)
    assert [each.folder for each in contents.distributions] == ["python"]
    assert owners(contents)["python/alpha/__init__.py"] == "alpha"
    assert owners(contents)["python/own.py"] is None


def test_files_of_the_purelib_scheme_belong_to_their_distribution(tmp_path):
    wheel = make_wheel(tmp_path, "alpha", files={"alpha-1.0.data/purelib/inner.py": "x = 1"})
    unpacked = make_artifact(tmp_path / "a.zip", wheels=[wheel], src={"inner.py": "x = 1"})
    assert owners(read_contents(unpacked.path))["inner.py"] == "alpha"


def test_what_a_distribution_vendors_is_no_distribution_of_its_own(tmp_path):
    vendored = {"alpha/_vendor/other-9.dist-info/METADATA": "Name: other\nVersion: 9\n\n"}
    wheel = make_wheel(tmp_path, "alpha", files={"alpha/__init__.py": "", **vendored})
    contents = read_contents(make_artifact(tmp_path / "a.zip", wheels=[wheel]).path)
    assert [each.name for each in contents.distributions] == ["alpha"]
    assert set(owners(contents).values()) == {"alpha"}


def test_kinds_are_told_by_the_end_of_the_name(tmp_path):
    sizes = {"a.py": 1, "b.pyi": 2, "c.pyc": 4, "d.so": 8, "libe.so.1.2": 16, "f.json": 32, "g.sob": 64}
    artifact = make_artifact(tmp_path / "a.zip", src={name: "x" * count for name, count in sizes.items()})
    assert bytes_by_kind(read_contents(artifact.path).files) == {".so": 24, ".py": 3, ".pyc": 4, "data": 96}


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ("License-Expression: MIT OR Apache-2.0\nLicense: other\n", ("MIT OR Apache-2.0",)),
        ("License: BSD 3-Clause\n", ("BSD 3-Clause",)),
        (
            "License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License\nClassifier: Topic :: Tea\n",
            ("MIT License",),
        ),
        (
            "License: Copyright\n        all of the text\nClassifier: License :: OSI Approved :: BSD License\n",
            ("BSD License",),
        ),
        ("Classifier: License :: OSI Approved\n", ()),
        ("", ()),
    ],
)
def test_licences_are_read_from_metadata(tmp_path, headers, said):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("alpha-1.dist-info/METADATA", f"Name: alpha\nVersion: 1\n{headers}\nLicense: in the body\n")
    (held,) = read_contents(tmp_path / "a.zip").distributions
    assert held.licenses == said
    assert held.has_license_expression == headers.startswith("License-Expression")


def test_what_is_no_zip_is_refused(tmp_path):
    (tmp_path / "a.zip").write_text("no")
    with pytest.raises(InputError, match="no zip that can be read"):
        read_contents(tmp_path / "a.zip")
    with pytest.raises(InputError, match="no zip that can be read"):
        read_contents(tmp_path / "none.zip")
