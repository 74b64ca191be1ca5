"""Where an env's Terraform state is kept."""

import re
from pathlib import Path

from build.errors import InputError

_TEXTS = re.compile(r'^\s*(\w+)\s*=\s*"([^"]+)"', re.MULTILINE)


def backend_settings(path: Path) -> dict[str, str]:
    """Return the settings of an s3.tfbackend file that are text, such as bucket and region."""
    return dict(_TEXTS.findall(path.read_text(encoding="utf-8")))


def state_key(key: str, stack: str) -> str:
    """Return where the state of ``stack`` is, beside the env's own at ``key``; the env's own for no stack."""
    return f"{key.removesuffix('.tfstate')}.{stack}.tfstate" if stack else key


def state_bucket(root: Path, env: str) -> str:
    """Return the bucket that terraform/envs/<env>.s3.tfbackend names."""
    path = root / "terraform" / "envs" / f"{env}.s3.tfbackend"
    found = backend_settings(path).get("bucket") if path.is_file() else None
    if not found:
        got = "none" if path.is_file() else "no file"
        raise InputError(
            f"env {env} has no state bucket",
            facts=[f'expected bucket = "…" in terraform/envs/{path.name}', f"got {got}"],
            hint=f"write terraform/envs/{path.name} like its neighbours, then run `invoke plan --env {env}`",
        )
    return found
