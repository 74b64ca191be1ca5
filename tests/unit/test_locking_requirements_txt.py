import pytest

from build.errors import InputError
from build.locking.locks import read_locks
from build.locking.writing import write_locks
from tests.builders import X86, function_spec, layer_spec, make_wheel, make_workspace, write_files

SHA = "0" * 64


def workspace_of(tmp_path, files, env="dev", **layers):
    folder = write_files(tmp_path / "functions/orders", files)
    specs = tuple(layer_spec(write_files(tmp_path / "layers" / name, each)) for name, each in layers.items())
    return make_workspace(tmp_path, functions=(function_spec(folder, layers=tuple(layers)),), layers=specs, env=env)


def read(*arguments, **others):
    return read_locks(workspace_of(*arguments, **others))["functions/orders"]


def refused(*arguments, **others):
    with pytest.raises(InputError) as caught:
        read(*arguments, **others)
    return caught.value.facts


def lock_of(*names):
    return "".join(f"{name}==1.0 --hash=sha256:{SHA}\n" for name in names)


def shared(tmp_path):
    return write_files(tmp_path / "libs/shared", {"pyproject.toml": '[project]\nname = "shared"\nversion = "0.3"\n'})


class TestAlone:
    """A `requirements.txt` as people have it, with no `requirements.in`."""

    def test_pinned_and_hashed_it_is_a_lock(self, tmp_path):
        lock = read(tmp_path, {"requirements.txt": f"# note\n\nsix==1.16.0 --hash=sha256:{SHA}\n"})
        assert ([pin.name for pin in lock.pins], lock.wanted, lock.provisional) == (["six"], None, False)

    def test_a_lock_may_be_in_several_files(self, tmp_path):
        files = {"requirements.txt": "-r base.txt\n", "base.txt": f"six==1.16.0 --hash=sha256:{SHA}\n"}
        assert [pin.name for pin in read(tmp_path, files).pins] == ["six"]

    def test_a_line_without_a_digest_among_others_that_have_one_is_told(self, tmp_path):
        files = {"requirements.txt": f"six==1.16.0 --hash=sha256:{SHA}\nidna==3.0\n"}
        assert refused(tmp_path, files) == (
            "functions/orders/requirements.txt:2: idna: expected --hash=sha256:…, got none, so write what is wanted "  # noqa: ISC004
            "into requirements.in beside it",
        )

    def test_of_a_long_list_without_a_lock_only_the_first_is_shown(self, tmp_path):
        (said,) = refused(tmp_path, {"requirements.txt": "six\nidna\nattrs\n"})
        assert said.endswith(": expected name==version with --hash, got six and 2 more")

    def test_strictly_local_is_as_any_other_env(self, tmp_path):
        with pytest.raises(InputError):
            read_locks(workspace_of(tmp_path, {"requirements.txt": "six\n"}, env="local"), strict=True)

    def test_a_lock_alone_is_left_alone(self, tmp_path):
        assert write_locks([workspace_of(tmp_path, {"requirements.txt": f"six==1 --hash=sha256:{SHA}\n"})]) == {}

    def test_files_that_are_not_there_or_not_ours_are_told(self, tmp_path):
        said = refused(tmp_path, {"requirements.txt": "-r missing.txt\n-r ../../../far.txt\nsix\n"}, env="local")
        assert [fact.split(": ", 1)[1] for fact in said] == [
            "-r missing.txt: expected a file of this repository, got none, so mend the line",
            "-r ../../../far.txt: expected a file of this repository, got none, so mend the line",
        ]


class TestPlaces:
    """Wishes and pins that say where something is."""

    @pytest.mark.parametrize(
        "line", ["./../../libs/shared", "shared @ file:../../libs/shared", "-e ../../libs/shared", "../../libs/shared"]
    )
    def test_it_may_be_written_in_several_ways(self, tmp_path, line):
        place = shared(tmp_path)
        files = {"requirements.in": f"{line}\n", "requirements.txt": f"{line}\n"}
        assert read(tmp_path, files).pins[0].folder == place

    def test_the_extras_and_markers_of_a_place_are_kept(self, tmp_path):
        shared(tmp_path)
        line = "../../libs/shared[fast] ; sys_platform == 'win32'"
        lock = read(tmp_path, {"requirements.in": f"{line}\n", "requirements.txt": f"{line.replace('[fast]', '')}\n"})
        assert lock.selected(X86) == ()
        assert [str(wish) for wish in lock.wanted or ()] == ['shared[fast] @ libs/shared ; sys_platform == "win32"']

    def test_a_pin_from_elsewhere_does_not_meet_a_wish_for_a_place(self, tmp_path):
        shared(tmp_path)
        files = {
            "requirements.in": "../../libs/shared\nfar @ https://example.invalid/far-2.0.tar.gz\n",
            "requirements.txt": f"shared==0.3 --hash=sha256:{SHA}\n"
            f"far @ https://example.invalid/far-1.0.tar.gz --hash=sha256:{SHA}\n",
        }
        assert [fact.partition(": ")[2] for fact in refused(tmp_path, files)] == [
            "expected shared @ libs/shared, got shared==0.3",
            "expected far @ https://example.invalid/far-2.0.tar.gz, got https://example.invalid/far-1.0.tar.gz",
        ]

    @pytest.mark.parametrize("form", ["far @ {url}#sha256={sha}", "far @ {url} --hash=sha256:{sha}", "far @ {url}"])
    def test_a_wish_with_a_digest_is_met_by_that_file_alone(self, tmp_path, form):
        url = "https://{}example.invalid/far-1.0.tar.gz"
        locked = f"far @ {url.format('')} --hash=sha256:{SHA}\n"
        wish = form.format(url=url.format("me:word@"), sha=SHA)
        assert read(tmp_path, {"requirements.in": wish, "requirements.txt": locked}).pins[0].sha256s == {SHA}
        other = "1" * 64
        files = {"requirements.in": form.format(url=url.format("me:word@"), sha=other), "requirements.txt": locked}
        if "sha" not in form:
            assert read(tmp_path, files).pins
            return
        (said,) = refused(tmp_path, files)
        shown = url.format("")
        assert said.endswith(f": expected far @ {shown}#sha256={other}, got {shown}#sha256={SHA}")
        also = locked.replace("\n", f" --hash=sha256:{other}\n")
        assert refused(tmp_path, {**files, "requirements.txt": also}), "the lock allows a second file"

    @pytest.mark.parametrize(
        ("line", "url"),
        [
            (
                f"far @ https://example.invalid/far-1.0.tar.gz --hash=sha256:{SHA}",
                "https://example.invalid/far-1.0.tar.gz",
            ),
            (f"far @ https://example.invalid/f.zip#sha256={SHA}", f"https://example.invalid/f.zip#sha256={SHA}"),
            (
                f"https://example.invalid/far-1.0-py3-none-any.whl --hash=sha256:{SHA}",
                "https://example.invalid/far-1.0-py3-none-any.whl",
            ),
        ],
    )
    def test_a_url_with_its_digest_is_a_pin(self, tmp_path, line, url):
        (pin,) = read(tmp_path, {"requirements.txt": f"{line}\n"}).pins
        assert (pin.name, pin.url, pin.sha256s) == ("far", url, {SHA})
        assert pin.line == f"far @ {url} --hash=sha256:{SHA}\n"

    def test_a_wheel_of_the_repository_needs_no_digest_but_a_wrong_one_is_told(self, tmp_path):
        wheel = make_wheel(tmp_path / "vendor", "six", "1.17.0")
        line = f"../../vendor/{wheel.path.name}"
        files = {"requirements.in": f"{line}\n", "requirements.txt": f"{line}\n"}
        (pin,) = read(tmp_path, files).pins
        assert (pin.version, pin.url, pin.sha256s) == ("1.17.0", wheel.path.as_uri(), {wheel.digest.hex})
        (said,) = refused(tmp_path, {**files, "requirements.txt": f"{line} --hash=sha256:{SHA}\n"})
        assert "expected the sha256 that the lock names" in said
        (said,) = refused(tmp_path, {**files, "requirements.in": f"{line} --hash=sha256:{SHA}\n"})
        assert said.startswith("functions/orders/requirements.in:1: ")

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("../../../elsewhere", "expected a place in this repository, got one outside of it"),
            ("../../libs/none", "expected a file or a project, got nothing at libs/none, so mend the path"),
            ("./src", "expected a project, got a folder without pyproject.toml or setup.py"),
            (
                "a @ git+https://me:word@example.invalid/a@abc",
                "expected files with a sha256, got a commit of a repository",
            ),
            (
                "a @ https://me:word@example.invalid/a-1.zip",
                "expected its sha256, as --hash=sha256:… or #sha256=…, got none",
            ),
            (f"https://example.invalid/a?b.whl#sha256={SHA}", "expected its name, got none, so write `name @ URL`"),
        ],
    )
    def test_what_cannot_be_shipped_is_told_without_credentials(self, tmp_path, line, said):
        files = {"src/app.py": "", "requirements.in": "", "requirements.txt": f"{line}\n"}
        (fact,) = refused(tmp_path, files)
        assert said in fact
        assert "word" not in fact


def test_options_of_a_lock_that_say_where_files_are_reach_pip(tmp_path):
    text = (
        "--index-url https://me:${TOKEN}@example.invalid/simple\n--find-links ./wheels\n"
        f"--trusted-host example.invalid\n--pre\nsix==1.16.0 --hash=sha256:{SHA}\n"
    )
    (pin,) = read(tmp_path, {"requirements.txt": text}).pins
    assert pin.options == (
        "--extra-index-url https://me:${TOKEN}@example.invalid/simple",
        f"--find-links {tmp_path / 'functions/orders/wheels'}",
        "--trusted-host example.invalid",
    )


def test_the_public_index_is_left_to_pips_own_settings(tmp_path):
    public = "https://py" + "pi.org/simple"
    (pin,) = read(tmp_path, {"requirements.txt": f"-i {public}\nsix==1.16.0 --hash=sha256:{SHA}\n"}).pins
    assert pin.options == ()


def test_what_another_file_wants_is_wanted_too(tmp_path):
    files = {"requirements.in": "-r ../common.in\n", "requirements.txt": f"six==1.16.0 --hash=sha256:{SHA}\n"}
    write_files(tmp_path / "functions", {"common.in": "six\n"})
    lock = read(tmp_path, files)
    assert [wish.name for wish in lock.wanted or ()] == ["six"]
    assert lock.beside == (tmp_path / "functions/common.in",)


def test_files_that_are_named_together_may_pin_the_same(tmp_path):
    files = {"requirements.txt": "-r a.txt\n-r b.txt\n", "a.txt": lock_of("six"), "b.txt": lock_of("six", "idna")}
    assert [pin.name for pin in read(tmp_path, files).selected(X86)] == ["idna", "six"]


def test_a_change_of_constraints_that_constraints_name_is_seen(tmp_path):
    files = {
        "requirements.in": "six\n-c held.txt\n",
        "held.txt": "-c ../more.txt\n",
        "requirements.txt": lock_of("six"),
    }
    digests = set()
    for text in ("six<2\n", "six<3\n-r ../functions/orders/held.txt\n"):
        write_files(tmp_path / "functions", {"more.txt": text})
        lock = read(tmp_path, files)
        digests.add(lock.digest)
        assert lock.beside == (tmp_path / "functions/more.txt",)
    assert len(digests) == 2
