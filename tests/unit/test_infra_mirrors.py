from pathlib import Path

import pytest

from build.errors import InputError
from build.infra.mirrors import provider_source


def mirror(folder: Path, *providers: str) -> Path:
    for provider in providers or ("hashicorp/aws",):
        (folder / "registry.terraform.io" / provider / "5.100.0").mkdir(parents=True)
    return folder


def source(tmp_path: Path, **environ: str):
    return provider_source(tmp_path / "repo", {"HOME": str(tmp_path / "home"), **environ}, opt=tmp_path / "opt")


def test_the_named_mirror_comes_before_every_other(tmp_path):
    mirror(tmp_path / "home" / ".terraform.d" / "plugins")
    mirror(tmp_path / "opt" / "plugins")
    named = mirror(tmp_path / "named")
    chosen = source(tmp_path, SLIPWAY_PROVIDER_MIRROR=str(named))
    assert f'path    = "{named}"' in chosen.cli_config.read_text()
    assert str(named) in chosen.source
    assert "SLIPWAY_PROVIDER_MIRROR" in chosen.source


def test_a_named_mirror_without_the_provider_is_refused(tmp_path):
    with pytest.raises(InputError, match="holds no AWS provider") as raised:
        source(tmp_path, SLIPWAY_PROVIDER_MIRROR=str(tmp_path))
    assert f"expected the folder {tmp_path}" in raised.value.facts[0]


@pytest.mark.parametrize(
    "folder",
    [
        "home/.terraform.d/plugins",
        "home/.local/share/terraform/plugins",
        "home/Library/Application Support/io.terraform/plugins",
        "repo/terraform/terraform.d/plugins",
        "share/terraform/plugins",
    ],
)
def test_terraforms_own_mirror_folders_come_before_opt(tmp_path, folder):
    mirror(tmp_path / "opt" / "plugins")
    implied = mirror(tmp_path / folder)
    assert str(implied) in source(tmp_path, XDG_DATA_DIRS=str(tmp_path / "share")).source


def test_a_mirror_below_opt_is_found_whatever_its_name(tmp_path):
    (tmp_path / "opt" / "empty" / "registry.terraform.io").mkdir(parents=True)
    found = mirror(tmp_path / "opt" / "some-plugins")
    assert str(found) in source(tmp_path).source


def test_what_the_mirror_holds_comes_from_it_and_the_rest_from_the_registry(tmp_path):
    mirror(tmp_path / "opt" / "plugins", "hashicorp/aws", "hashicorp/random")
    text = source(tmp_path).cli_config.read_text()
    assert 'include = ["hashicorp/aws", "hashicorp/random"]' in text
    assert 'exclude = ["hashicorp/aws", "hashicorp/random"]' in text


def test_without_a_mirror_the_registry_is_used(tmp_path):
    chosen = source(tmp_path)
    assert "registry" in chosen.source
    assert "provider_installation" not in chosen.cli_config.read_text()


def test_what_the_registry_gave_is_kept_once_for_all_envs_and_stacks(tmp_path):
    cache = tmp_path / "repo" / ".artifacts" / "providers"
    assert f'plugin_cache_dir = "{cache}"' in source(tmp_path).cli_config.read_text()
    assert cache.is_dir()  # or Terraform would refuse the configuration


def test_the_users_own_cache_of_providers_is_respected(tmp_path):
    own = tmp_path / "home" / ".terraformrc"
    own.parent.mkdir()
    own.write_text('plugin_cache_dir = "/tmp/cache"\n')
    assert source(tmp_path).cli_config.read_text().strip() == 'plugin_cache_dir = "/tmp/cache"'
    own.unlink()
    assert "plugin_cache_dir" not in source(tmp_path, TF_PLUGIN_CACHE_DIR="/tmp/cache").cli_config.read_text()


def test_a_cli_configuration_that_does_not_exist_is_replaced_by_one_that_does(tmp_path):
    assert source(tmp_path, TF_CLI_CONFIG_FILE=str(tmp_path / "missing")).cli_config.is_file()


@pytest.mark.parametrize("variable", ["TF_CLI_CONFIG_FILE", ""])
def test_the_users_own_installation_is_respected(tmp_path, variable):
    mirror(tmp_path / "opt" / "plugins")
    own = tmp_path / "home" / ".terraformrc"
    own.parent.mkdir()
    own.write_text("provider_installation {\n  direct {}\n}\n")
    chosen = source(tmp_path, **({variable: str(own)} if variable else {}))
    assert chosen.cli_config == own
    assert str(own) in chosen.source


def test_other_settings_of_the_user_are_kept_and_readable_by_nobody_else(tmp_path):
    mirror(tmp_path / "opt" / "plugins")
    own = tmp_path / "home" / ".terraformrc"
    own.parent.mkdir()
    own.write_text('plugin_cache_dir = "/cache"\n')
    chosen = source(tmp_path)
    text = chosen.cli_config.read_text()
    assert text.startswith('plugin_cache_dir = "/cache"\n')
    assert "filesystem_mirror" in text
    assert chosen.cli_config.stat().st_mode & 0o077 == 0


def test_an_unchanged_configuration_is_not_written_again(tmp_path):
    mirror(tmp_path / "opt" / "plugins")
    before = source(tmp_path).cli_config.stat()
    after = source(tmp_path).cli_config.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
