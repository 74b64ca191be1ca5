"""Where Terraform gets its providers from: a mirror on this machine, or the registry.

A machine that cannot reach the registry keeps providers in a folder. Terraform knows some such
folders by itself, but stops looking for the rest as soon as one provider is in one of them; so
the place is chosen here and written into a CLI configuration, and it can be told to people.
"""

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from build.errors import InputError

_HOST = "registry.terraform.io"
_REQUIRED = Path(_HOST, "hashicorp", "aws")
_OWN_CACHE = re.compile(r"^\s*plugin_cache_dir\b", re.MULTILINE)
_OWN_INSTALLATION = re.compile(r"^\s*provider_installation\b", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """Where Terraform gets its providers."""

    cli_config: Path
    """For TF_CLI_CONFIG_FILE. It exists, whatever that variable said before."""
    source: str
    """For people: which place was taken and why."""


def provider_source(root: Path, environ: Mapping[str, str], *, opt: Path = Path("/opt")) -> Providers:
    """Choose where providers come from and write the CLI configuration that says so to .artifacts/.

    In this order: the folder in SLIPWAY_PROVIDER_MIRROR; the user's own CLI configuration where it
    has a provider_installation; the folders Terraform itself looks into; folders directly below
    ``opt``; the registry, with one cache for all envs and stacks. Raises InputError if
    SLIPWAY_PROVIDER_MIRROR does not hold the AWS provider.
    """
    named = environ.get("SLIPWAY_PROVIDER_MIRROR")
    users = _users_config(environ)
    own = users is not None and bool(_OWN_INSTALLATION.search(users.read_text("utf-8")))
    kept = users.read_text("utf-8") if users and not own else ""
    if named:
        mirror = Path(named).expanduser().resolve()
        if not (mirror / _REQUIRED).is_dir():
            msg = f"SLIPWAY_PROVIDER_MIRROR holds no AWS provider: {mirror}"
            hint = "fill it with `terraform providers mirror`, or unset SLIPWAY_PROVIDER_MIRROR"
            raise InputError(msg, facts=[f"expected the folder {mirror / _REQUIRED}"], hint=hint)
        return _written(root, kept, mirror, f"the mirror {mirror}, as SLIPWAY_PROVIDER_MIRROR says")
    if users and own:
        return Providers(cli_config=users, source=f"where {users} says")
    for mirror in (*_implied(root, environ), *sorted(p.parent for p in opt.glob(f"*/{_HOST}"))):
        if (mirror / _REQUIRED).is_dir():
            return _written(root, kept, mirror, f"the mirror {mirror}, which was found there")
    if not (environ.get("TF_PLUGIN_CACHE_DIR") or _OWN_CACHE.search(kept)):
        # The AWS provider takes 0.7 GB, and every env and every stack has a data folder of its own.
        cache = root / ".artifacts" / "providers"
        cache.mkdir(parents=True, exist_ok=True)
        kept = f"{kept.rstrip()}\nplugin_cache_dir = {json.dumps(str(cache))}\n"
    return _written(root, kept, None, "the registry, as no mirror was found")


def _users_config(environ: Mapping[str, str]) -> Path | None:
    """Follow Terraform: the variable replaces the file in the home folder, even when it names no file."""
    named = environ.get("TF_CLI_CONFIG_FILE") or environ.get("TERRAFORM_CONFIG")
    path = Path(named) if named else _home(environ) / ".terraformrc"
    return path if path.is_file() else None


def _home(environ: Mapping[str, str]) -> Path:
    return Path(environ["HOME"]) if environ.get("HOME") else Path.home()


def _implied(root: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    """https://developer.hashicorp.com/terraform/cli/config/config-file#implied-local-mirror-directories."""
    home = _home(environ)
    yield root / "terraform" / "terraform.d" / "plugins"
    yield home / ".terraform.d" / "plugins"
    yield home / "Library" / "Application Support" / "io.terraform" / "plugins"
    data = [environ.get("XDG_DATA_HOME") or str(home / ".local" / "share")]
    data += (environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share").split(os.pathsep)
    yield from (Path(folder, "terraform", "plugins") for folder in data if folder)


def _written(root: Path, kept: str, mirror: Path | None, source: str) -> Providers:
    installation = ""
    if mirror:
        held = json.dumps(sorted(f"{p.parent.name}/{p.name}" for p in mirror.glob(f"{_HOST}/*/*")))
        installation = f"""provider_installation {{
  filesystem_mirror {{
    path    = {json.dumps(str(mirror))}
    include = {held}
  }}
  direct {{
    exclude = {held}
  }}
}}
"""
    path = root / ".artifacts" / "terraform.tfrc"
    text = f"{kept.rstrip()}\n{installation}".lstrip()
    if not path.is_file() or path.read_text("utf-8") != text:
        path.parent.mkdir(parents=True, exist_ok=True)
        # mkstemp makes it readable by its owner alone: what is kept of the user's own may hold tokens.
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".tfrc-")
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        Path(draft).replace(path)
    return Providers(cli_config=path, source=source)
