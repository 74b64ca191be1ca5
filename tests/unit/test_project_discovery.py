import sys
from pathlib import Path

import pytest

from build import process
from build.errors import InputError
from build.model import Architecture, Runtime
from build.project.discovery import discover, discover_all
from build.project.profiles import host_architecture
from tests.builders import write_files

SLIPWAY = """
name = "acme"
[defaults]
runtime = "python3.13"
architecture = "arm64"
[env.dev]
region = "eu-central-1"
account_id = "123456789012"
[env.prod]
region = "eu-central-1"
account_id = "123456789012"
"""
FUNCTION = 'description = "x"\n'
LAYER = 'description = "x"\nruntimes = ["python3.13"]\narchitectures = ["arm64"]\n'


def repository(root: Path, files: dict[str, str] | None = None, *, slipway: str = SLIPWAY) -> Path:
    """Write slipway.toml and ``files``; ``functions/x`` stands for its function.toml, with a src/app.py beside it."""
    write_files(root, {"slipway.toml": slipway})
    for path, text in (files or {}).items():
        match path.split("/"):
            case ["functions", name]:
                source = "def handler(event, context): ...\n"
                write_files(root / "functions" / name, {"function.toml": text, "src/app.py": source})
            case ["layers", name]:
                write_files(root / "layers" / name, {"layer.toml": text})
            case _:
                write_files(root, {path: text})
    return root


def facts(root: Path, env: str = "local") -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        discover(root, env)
    assert caught.value.exit_code == 2
    assert "`invoke" in caught.value.hint or "`--env" in caught.value.hint
    return caught.value.facts


def fact(root: Path, env: str = "local") -> str:
    (only,) = facts(root, env)
    return only


def test_a_repository_without_functions_is_an_empty_workspace(tmp_path):
    workspace = discover(repository(tmp_path, {"functions/.gitkeep": ""}), "prod")
    assert (workspace.functions, workspace.layers, workspace.prefix) == ((), (), "acme-prod")
    assert workspace.env.artifact_bucket == "acme-prod-artifacts-123456789012-eu-central-1"


def test_missing_functions_and_layers_folders_are_fine(tmp_path):
    assert discover(repository(tmp_path), "local").functions == ()


def test_local_is_built_in_and_may_be_overridden_in_part(tmp_path):
    assert discover(repository(tmp_path), "local").env.region == "us-east-1"
    env = discover(repository(tmp_path, slipway=f'{SLIPWAY}[env.local]\nregion = "eu-west-1"'), "local").env
    assert (env.region, env.account_id, env.is_local) == ("eu-west-1", "123456789012", True)
    assert env.artifact_bucket == "acme-local-artifacts-123456789012-eu-west-1"


def test_an_env_is_watched_only_if_it_says_so(tmp_path):
    root = repository(tmp_path, slipway=f"{SLIPWAY}watch = true\n")
    assert [each.env.name for each in discover_all(root) if each.env.watch] == ["prod"]


def test_a_repository_on_github_is_known_when_it_is_named(tmp_path):
    write_files(tmp_path, {"slipway.toml": 'name = "shop"\n'})
    assert discover(tmp_path, "local").github_repository is None
    write_files(tmp_path, {"slipway.toml": 'name = "shop"\n[github]\nrepository = "acme/shop.py"\n'})
    assert discover(tmp_path, "local").github_repository == "acme/shop.py"


def test_a_function_gets_built_in_defaults_then_the_repositorys_then_its_own_then_its_override(tmp_path):
    slipway = SLIPWAY.replace(
        "[env.dev]", 'memory_mb = 300\ntimeout_s = 40\n[defaults.environment]\nAA = "1"\nBB = "1"\n[env.dev]'
    )
    text = (
        f'{FUNCTION}memory_mb = 400\n[environment]\nBB = "2"\nCC = "2"\n'
        '[env.prod]\nmemory_mb = 500\n[env.prod.environment]\nCC = "3"\n'
    )
    repository(tmp_path, {"functions/f": text}, slipway=slipway)
    (dev,), (prod,) = discover(tmp_path, "dev").functions, discover(tmp_path, "prod").functions
    assert (dev.ephemeral_storage_mb, dev.timeout_s, dev.memory_mb) == (512, 40, 400)
    assert (prod.ephemeral_storage_mb, prod.timeout_s, prod.memory_mb) == (512, 40, 500)
    assert dev.environment == {"AA": "1", "BB": "2", "CC": "2"}
    assert prod.environment == {"AA": "1", "BB": "2", "CC": "3"}


@pytest.mark.parametrize(
    ("env", "slipway", "function", "expected"),
    [
        ("prod", "", "", "at-once"),
        ("prod", "", '[rollout]\nstrategy = "linear"', "linear"),
        ("prod", '[env.prod.rollout]\nstrategy = "canary"', "", "canary"),
        ("prod", '[env.prod.rollout]\nstrategy = "canary"', '[rollout]\nstrategy = "linear"', "linear"),
        ("local", '[defaults.rollout]\nstrategy = "canary"', '[rollout]\nstrategy = "linear"', "at-once"),
        ("local", "", '[rollout]\nstrategy = "linear"\n[env.local.rollout]\nstrategy = "canary"', "canary"),
        ("local", '[env.local.rollout]\nstrategy = "canary"', "", "canary"),
    ],
)
def test_the_nearest_word_on_roll_outs_holds_and_on_local_only_what_is_said_of_local(
    tmp_path, env, slipway, function, expected
):
    files = {"functions/f": FUNCTION + function}
    (spec,) = discover(repository(tmp_path, files, slipway=SLIPWAY + slipway), env).functions
    assert spec.options.rollout.strategy == expected


def test_an_override_replaces_lists_and_leaves_other_triggers(tmp_path):
    text = (
        f'{FUNCTION}[[triggers.http]]\nroute = "GET /a"\n[[triggers.queue]]\nname = "q"\n'
        '[[env.prod.triggers.http]]\nroute = "GET /b"\n'
    )
    (prod,) = discover(repository(tmp_path, {"functions/f": text}), "prod").functions
    assert [http.route for http in prod.triggers.http] == ["GET /b"]
    assert [(queue.name, queue.batch_size, queue.max_receive_count) for queue in prod.triggers.queue] == [("q", 10, 5)]


def test_functions_and_layers_are_sorted_and_carry_their_folders(tmp_path):
    names = ["b", "a-1", "a", "c"]
    files = {f"functions/{n}": FUNCTION for n in names} | {f"layers/{n}": LAYER for n in names}
    workspace = discover(repository(tmp_path, files), "dev")
    assert [f.name for f in workspace.functions] == [layer.name for layer in workspace.layers] == sorted(names)
    assert workspace.functions[0].folder == tmp_path / "functions" / "a"
    assert workspace.layers[0].runtimes == (Runtime(13),)


def test_on_local_everything_is_for_the_host(tmp_path):
    other = next(a for a in Architecture if a is not host_architecture())
    files = {
        "functions/f": f'{FUNCTION}layers = ["data"]\n[env.local]\narchitecture = "{other}"\n',
        "layers/data": LAYER.replace("arm64", other),
    }
    slipway = SLIPWAY.replace('"arm64"', f'"{other}"')
    workspace = discover(repository(tmp_path, files, slipway=slipway), "local")
    assert workspace.functions[0].target.architecture is host_architecture()
    assert workspace.layers[0].architectures == (host_architecture(),)
    assert discover(tmp_path, "prod").functions[0].target.architecture is other


def test_hidden_folders_caches_files_and_leftovers_of_other_branches_are_ignored(tmp_path):
    files = {
        "functions/.idea/x.xml": "",
        "layers/.DS_Store": "",
        "functions/__pycache__/x.pyc": "",
        "functions/gone/src/__pycache__/app.pyc": "",
        "functions/gone/.DS_Store": "",
    }
    repository(tmp_path, files)
    write_files(tmp_path, {"functions/README.md": ""})
    assert discover(tmp_path, "local").functions == ()


def test_every_problem_of_every_file_is_told_at_once(tmp_path):
    files = {
        "functions/a": "memory_mb = 1\n",
        "functions/b": "description = \n",
        "functions/Cc": FUNCTION,
        "functions/d/README.md": "",
        "layers/data": "",
        "layers/x/README.md": "",
    }
    found = facts(repository(tmp_path, files), "prdo")
    assert [line.partition(": ")[0] for line in found] == [
        "--env prdo",
        "functions/Cc",
        "functions/a/function.toml",
        "functions/b/function.toml",
        "functions/d",
        "layers/data/layer.toml",
        "layers/data/layer.toml",
        "layers/data/layer.toml",
        "layers/x",
    ]


def test_a_wrong_slipway_toml_does_not_hide_what_is_wrong_elsewhere(tmp_path):
    found = facts(repository(tmp_path, {"functions/a": "memory_mb = 1\n"}, slipway="name = 1\n"))
    assert found == (
        "functions/a/function.toml: memory_mb: expected 128 … 10240, got 1",
        'slipway.toml: name: expected a string, got 1; quote it: "1"',
    )


def test_broken_toml_is_told_with_its_line(tmp_path):
    found = fact(repository(tmp_path, {"functions/f": f"{FUNCTION}memory_mb 512\n"}))
    assert found.startswith("functions/f/function.toml: line 2, column 11: Expected '='")


def test_a_file_that_is_not_utf_8_is_told(tmp_path):
    repository(tmp_path, {"functions/f": FUNCTION})
    (tmp_path / "functions/f/function.toml").write_bytes('description = "Größe"'.encode("latin-1"))
    assert fact(tmp_path) == "functions/f/function.toml: expected UTF-8, got byte 0xf6 at 17"


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path):
    repository(tmp_path, {"functions/f": FUNCTION})
    (tmp_path / "functions/f/function.toml").write_bytes(b'\xef\xbb\xbfdescription = "x"\r\nmemory_mb = 512\r\n')
    assert discover(tmp_path, "local").functions[0].memory_mb == 512


def test_no_slipway_toml_is_told_with_where_it_was_looked_for(tmp_path):
    with pytest.raises(InputError, match="no slipway") as caught:
        discover(tmp_path, "local")
    assert str(tmp_path) in caught.value.summary


def test_an_unknown_env_is_told_with_the_known_ones(tmp_path):
    assert (
        fact(repository(tmp_path), "prd")
        == "--env prd: expected one of local, dev, prod, got prd; did you mean `prod`?"
    )


def test_an_env_without_region_and_account_is_incomplete(tmp_path):
    found = facts(repository(tmp_path, slipway=f"{SLIPWAY}[env.test]\n"))
    assert found == ("slipway.toml: env.test.account_id: missing", "slipway.toml: env.test.region: missing")


def test_an_override_of_an_unknown_env_is_told(tmp_path):
    found = fact(repository(tmp_path, {"functions/f": f"{FUNCTION}[env.pord]\nmemory_mb = 512\n"}))
    assert found == (
        "functions/f/function.toml: env.pord: expected one of local, dev, prod, got pord; did you mean `prod`?"
    )


def test_what_neither_the_function_nor_the_defaults_say_is_missing(tmp_path):
    found = facts(repository(tmp_path, {"functions/f": ""}, slipway='name = "acme"\n'))
    assert found == (
        "functions/f/function.toml: description: missing",
        "functions/f/function.toml: runtime: missing, here or in [defaults] of slipway.toml",
    )


def test_what_only_one_env_lacks_is_told_with_that_env(tmp_path):
    slipway = SLIPWAY.replace('architecture = "arm64"\n', "")
    found = fact(
        repository(tmp_path, {"functions/f": f'{FUNCTION}[env.dev]\narchitecture = "arm64"\n'}, slipway=slipway)
    )
    assert found == "functions/f/function.toml: architecture: missing, here or in [defaults] of slipway.toml (env prod)"


def test_a_function_without_src_is_told(tmp_path):
    found = fact(repository(tmp_path, {"functions/f/function.toml": FUNCTION}))
    assert found == "functions/f: no src/ folder; everything that ships stands there"


def test_a_folder_without_function_toml_is_told(tmp_path):
    found = fact(repository(tmp_path, {"functions/f/src/app.py": ""}))
    assert found == "functions/f: no function.toml; write one, or move the folder away"


@pytest.mark.parametrize(
    ("path", "got"),
    [
        ("functions/newOrders", "`newOrders`; did you mean `new-orders`?"),
        ("functions/a--b", "`a--b`; did you mean `a-b`?"),
        ("functions/1a", "`1a`; did you mean `a`?"),
        ("layers/my_data", "`my_data`; did you mean `my-data`?"),
    ],
)
def test_a_folder_name_that_cannot_be_an_aws_name_is_told(tmp_path, path, got):
    text = FUNCTION if path.startswith("functions") else LAYER
    expected = "expected kebab-case (a letter first, then a-z, 0-9 and single hyphens), got"
    assert fact(repository(tmp_path, {path: text})) == f"{path}: folder name: {expected} {got}"


def test_a_layer_name_that_looks_like_a_layer_of_one_architecture_is_told(tmp_path):
    found = fact(repository(tmp_path, {"layers/data-arm64": LAYER}))
    assert found.startswith("layers/data-arm64: folder name: expected a name without the ending -arm64")


def test_an_unknown_layer_is_told_where_it_is_named(tmp_path):
    slipway = SLIPWAY.replace("[env.dev]", 'layers = ["telemetri"]\n[env.dev]')
    files = {
        "functions/f": f'{FUNCTION}layers = ["data", "dta"]\n[env.prod]\nlayers = ["zzz"]\n',
        "layers/data": LAYER,
        "layers/telemetry": LAYER,
    }
    place, expected = "functions/f/function.toml", "expected a folder under layers/ or an ARN, got"
    assert facts(repository(tmp_path, files, slipway=slipway)) == (
        f"{place}: env.prod.layers[0]: {expected} `zzz`",
        f"{place}: layers[1]: {expected} `dta`; did you mean `data`?",
        f"slipway.toml: defaults.layers[0]: {expected} `telemetri`; did you mean `telemetry`?",
    )


def test_a_layer_whose_file_is_wrong_is_not_unknown_too(tmp_path):
    files = {"functions/f": f'{FUNCTION}layers = ["data"]\n', "layers/data": f"{LAYER}x = 1\n"}
    assert fact(repository(tmp_path, files)).startswith("layers/data/layer.toml: x: unknown key")


def test_a_layer_by_arn_is_not_looked_up(tmp_path):
    arn = "arn:aws:lambda:eu-central-1:123456789012:layer:datadog:7"
    (function,) = discover(repository(tmp_path, {"functions/f": f'{FUNCTION}layers = ["{arn}"]\n'}), "dev").functions
    assert function.layers == (arn,)


def test_a_layer_must_support_the_functions_runtime_and_architecture_in_every_env(tmp_path):
    files = {
        "functions/f": f'{FUNCTION}layers = ["data"]\nruntime = "python3.12"\n[env.prod]\narchitecture = "x86_64"\n',
        "layers/data": LAYER,
    }
    place = "functions/f/function.toml: layers: `data` supports"
    assert facts(repository(tmp_path, files)) == (
        f"{place} arm64, the function runs on x86_64 (env prod)",
        f"{place} python3.13, the function runs on python3.12",
    )


def test_contradictions_within_and_between_functions_are_told_with_the_env_that_has_them(tmp_path):
    storage = "snap_start = true\nephemeral_storage_mb = 1024\n"
    route = '[[triggers.http]]\nroute = "GET /"\n'
    files = {
        "functions/a": f"{FUNCTION}{route}[env.prod]\n{storage}",
        "functions/b": FUNCTION + route,
    }
    assert facts(repository(tmp_path, files)) == (
        "functions/a/function.toml: snap_start: expected an ephemeral_storage_mb of at most 512, got 1024 (env prod)",
        "functions/b/function.toml: triggers.http: `GET /` is taken by `GET /` of functions/a",
    )


def test_a_function_name_too_long_for_aws_is_told_with_its_longest_aws_name(tmp_path):
    fits = "f" * (64 - len("acme-local-"))
    assert discover(repository(tmp_path, {f"functions/{fits}": FUNCTION}), "local").functions
    found = fact(repository(tmp_path / "second", {f"functions/{fits}f": FUNCTION}))
    assert found.startswith(f"functions/{fits}f: the AWS name of the function and role: expected at most 64 characters")
    assert found.endswith(f"got 65: acme-local-{fits}f")


def test_a_queue_name_too_long_with_its_dead_letters_is_told(tmp_path):
    fits = "q" * (80 - len("acme-local-f--dead-letter"))
    text = '{}[[triggers.queue]]\nname = "{}"\n'
    assert discover(repository(tmp_path, {"functions/f": text.format(FUNCTION, fits)}), "local").functions
    found = fact(repository(tmp_path / "second", {"functions/f": text.format(FUNCTION, f"{fits}q")}))
    assert "the AWS name of the dead-letter queue: expected at most 80 characters, got 81" in found


def test_a_default_bucket_name_too_long_for_s3_is_told_with_the_key_to_set(tmp_path):
    slipway = SLIPWAY.replace("acme", "a" * 20).replace("env.prod", "env.production-of-europe")
    found = fact(repository(tmp_path, slipway=slipway))
    assert found.startswith(
        "slipway.toml: env.production-of-europe: artifact bucket: expected at most 63 characters, got 77:"
    )
    assert found.endswith("set env.production-of-europe.artifact_bucket")
    assert discover(repository(tmp_path, slipway=f'{slipway}artifact_bucket = "short"\n'), "local").functions == ()


def test_the_longest_repository_name_fits_the_default_bucket_of_prod_in_the_longest_region(tmp_path):
    slipway = SLIPWAY.replace("acme", "a" * 20).replace("eu-central-1", "ap-southeast-1")
    assert len(discover(repository(tmp_path, slipway=slipway), "prod").env.artifact_bucket) == 63


def test_the_repositorys_own_settings_are_in_order():
    root = Path(__file__).resolve().parents[2]
    for env in ("local", "dev", "prod"):
        assert discover(root, env).env.name == env


def test_importing_discovery_does_not_import_pydantic():
    probe = "import sys, build.project.discovery, build.project.scaffold; print('pydantic' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    assert process.run([sys.executable, "-c", probe], cwd=root).stdout.strip() == "False"


class TestSettingsThatDidNotChange:
    """They are not read again, which saves a fifth of a second at every verb."""

    @pytest.fixture
    def root(self, tmp_path):
        return repository(tmp_path, {"functions/orders": FUNCTION, "layers/data": LAYER})

    def test_are_recalled(self, root, monkeypatch):
        first = discover(root, "prod")
        monkeypatch.setattr("build.project.reading.read", lambda _: pytest.fail("read again"))
        assert discover(root, "prod") == first

    @pytest.mark.parametrize(
        ("path", "text"),
        [
            ("slipway.toml", SLIPWAY.replace("acme", "other")),
            ("functions/orders/function.toml", 'description = "changed"\n'),
            ("layers/data/layer.toml", LAYER.replace("arm64", "x86_64")),
            ("functions/more/function.toml", FUNCTION),
        ],
    )
    def test_one_that_changed_is_read(self, root, path, text):
        before = discover(root, "prod")
        write_files(root, {"functions/more/src/app.py": ""} if "more" in path else {})
        write_files(root, {path: text})
        assert discover(root, "prod") != before

    def test_problems_are_told_every_time(self, root):
        discover(root, "prod")
        write_files(root, {"functions/orders/function.toml": "memory_mb = 1\n"})
        assert facts(root) == facts(root)

    def test_a_folder_that_loses_its_settings_or_its_source_is_told(self, root):
        discover(root, "prod")
        (root / "functions/orders/src/app.py").unlink()
        (root / "functions/orders/src").rmdir()
        assert "no src/ folder" in fact(root)
        (root / "functions/orders/function.toml").unlink()
        write_files(root, {"functions/orders/notes.txt": ""})
        assert "no function.toml" in fact(root)

    @pytest.mark.parametrize("torn", [b"", b"torn", b"\x80\x04."])
    def test_what_cannot_be_recalled_is_read(self, root, torn):
        first = discover(root, "prod")
        (root / ".artifacts/workspaces.pickle").write_bytes(torn)
        assert discover(root, "prod") == first
