"""From settings as they stand to what one env gets: defaults, then the function, then its override.

Importing this module imports pydantic: do so inside functions.
"""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

from build.http import HttpApi
from build.model import (
    IMAGE,
    LOCAL,
    Architecture,
    Env,
    FunctionSpec,
    LayerSpec,
    RemoteStore,
    Runtime,
    Target,
    Workspace,
)
from build.options import DOCKERFILE, Dockerfile, Options, Shifting
from build.project.profiles import host_architecture
from build.project.reading import FUNCTIONS, LAYERS, SETTINGS, Repository
from build.project.settings import (
    BUILT_IN,
    REQUIRED,
    EnvTable,
    FunctionOverrides,
    FunctionSettings,
    LayerTable,
    SlipwayTable,
    StoreTable,
)
from build.rules import quotas
from build.triggers import Triggers

_LOCAL: EnvTable = {"region": "us-east-1", "account_id": "123456789012"}


def env_tables(slipway: SlipwayTable) -> dict[str, EnvTable]:
    """Return the settings of every env: the built-in local first, then those of slipway.toml in its order."""
    tables = slipway.get("env", {})
    local: EnvTable = {**_LOCAL, **tables.get(LOCAL, {})}
    return {LOCAL: local, **{name: table for name, table in tables.items() if name != LOCAL}}


def env_of(slipway: SlipwayTable, name: str, found: list[str]) -> Env | None:
    """Return the env called ``name``; None, and lines in ``found``, if its settings do not suffice."""
    table = env_tables(slipway)[name]
    missing = [key for key in ("region", "account_id") if key not in table]
    found += [f"{SETTINGS}: env.{name}.{key}: missing" for key in missing]
    if missing:
        return None
    region, account_id = table["region"], table["account_id"]
    bucket = table.get("artifact_bucket", f"{slipway['name']}-{name}-artifacts-{account_id}-{region}")
    most = quotas.BUCKET_NAME_CHARS[1]
    if len(bucket) > most:
        got = f"got {len(bucket)}: {bucket}; set env.{name}.artifact_bucket"
        found.append(f"{SETTINGS}: env.{name}: artifact bucket: expected at most {most} characters, {got}")
    watch = table.get("watch", False)
    return Env(name=name, region=region, account_id=account_id, artifact_bucket=bucket, watch=watch)


def workspace(
    root: Path, slipway: SlipwayTable, repository: Repository, env: Env, pins: Mapping[Target, str]
) -> tuple[Workspace, list[str]]:
    """Return what ``env`` gets, and a line for each function that lacks a setting (and is left out).

    ``pins`` are the bases of images that name none.
    """
    found: list[str] = []
    host = host_architecture() if env.is_local else None
    layers = tuple(_layer(root, name, table, host) for name, table in repository.layers.items())
    defaults, of_env = slipway.get("defaults", {}), _of_env(slipway, env)
    functions = []
    for name, table in repository.functions.items():
        override = table.get("env", {}).get(env.name, {})
        merged = _merged(BUILT_IN, defaults, of_env, table, override)
        if host:
            merged["architecture"] = host.value
            own = override.get("rollout") or of_env.get("rollout")
            # The steps that hold for callers elsewhere would only be waited for; their order costs nothing.
            merged["rollout"] = own or Shifting(after=merged.get("rollout", Shifting()).after)
        missing = [key for key in REQUIRED if key not in merged]
        for key in missing:
            elsewhere = "" if key == "description" else f", here or in [defaults] of {SETTINGS}"
            found.append(f"{FUNCTIONS}/{name}/function.toml: {key}: missing{elsewhere}")
        if not missing:
            functions.append(_function(root, name, merged, pins))
    made = Workspace(
        root=root,
        name=slipway["name"],
        env=env,
        functions=tuple(functions),
        layers=layers,
        layer_sizes=dict(sorted(slipway.get("layer_sizes", {}).items())),
        remote_store=_remote_store(slipway["store"]) if "store" in slipway else None,
        github_repository=slipway["github"]["repository"] if "github" in slipway else None,
        http_api=_http_api(slipway, env),
    )
    return made, found


def _remote_store(table: StoreTable) -> RemoteStore:
    bucket, _, prefix = table["remote"].removeprefix("s3://").partition("/")
    return RemoteStore(bucket=bucket, prefix=prefix, account_id=table.get("account_id"))


def _http_api(slipway: SlipwayTable, env: Env) -> HttpApi:
    merged: dict[str, Any] = {**slipway.get("http_api", {}), **env_tables(slipway)[env.name].get("http_api", {})}
    return HttpApi(**merged)


def _of_env(slipway: SlipwayTable, env: Env) -> FunctionSettings:
    """Return what ``env`` says for all functions."""
    table = env_tables(slipway)[env.name]
    return {"rollout": table["rollout"]} if "rollout" in table else {}


def _merged(*tables: FunctionSettings) -> FunctionOverrides:
    """Lay later tables over earlier ones: tables merge key by key, everything else is replaced."""
    result: dict[str, Any] = {}
    for table in tables:
        for key, value in table.items():
            before = result.get(key)
            if isinstance(value, dict) and isinstance(before, dict):
                result[key] = {**before, **value}
            else:
                result[key] = value
    result.pop("env", None)
    return cast("FunctionOverrides", result)


def _function(root: Path, name: str, table: FunctionOverrides, pins: Mapping[Target, str]) -> FunctionSpec:
    given: Mapping[str, Any] = table
    target = Target(Runtime.parse(table["runtime"]), Architecture(table["architecture"]))
    return FunctionSpec(
        name=name,
        folder=root / FUNCTIONS / name,
        description=table["description"],
        target=target,
        handler=table["handler"],
        package=table["package"],
        base_image=table.get("base_image") or (pins.get(target, "") if table["package"] == IMAGE else ""),
        dockerfile=_dockerfile(root / FUNCTIONS / name, table),
        layers=table["layers"],
        memory_mb=table["memory_mb"],
        timeout_s=table["timeout_s"],
        ephemeral_storage_mb=table["ephemeral_storage_mb"],
        keep=table["keep"],
        environment=dict(sorted(table["environment"].items())),
        log_retention_days=table["log_retention_days"],
        reserved_concurrency=table.get("reserved_concurrency"),
        triggers=Triggers(**table.get("triggers", {})),
        options=Options(**{each.name: given[each.name] for each in fields(Options) if each.name in given}),
    )


def _dockerfile(folder: Path, table: FunctionOverrides) -> Dockerfile | None:
    is_there = table["package"] == IMAGE and (folder / DOCKERFILE).is_file()
    return table.get("dockerfile", Dockerfile() if is_there else None)


def _layer(root: Path, name: str, table: LayerTable, host: Architecture | None) -> LayerSpec:
    architectures = (host,) if host else tuple(map(Architecture, table["architectures"]))
    return LayerSpec(
        name=name,
        folder=root / LAYERS / name,
        description=table["description"],
        runtimes=tuple(map(Runtime.parse, table["runtimes"])),
        architectures=architectures,
        keep=table.get("keep", ()),
    )
