"""Set an account up: `bootstrap`."""

import json
from pathlib import Path
from typing import Any

from build import report
from build.errors import InputError
from build.infra.backend import backend_settings, state_bucket
from build.model import Workspace
from build.project.discovery import discover
from build.release.aws import Aws, asking

_GITHUB = "oidc-provider/token.actions.githubusercontent.com"


def bootstrap(root: Path, env: str) -> None:
    """Make what a deploy expects of the env's account, and say what to put where."""
    from build import pipeline
    from build.infra.terraform import TerraformAdapter

    workspace, show = discover(root, env), report.Reporter()
    state = _state(workspace)
    with pipeline.alone(workspace):
        aws = pipeline.connect(workspace, show, make_buckets=True)
        terraform = TerraformAdapter(root, env, environ=aws.environ, on_progress=show.say, bootstrap=True)
        inputs = workspace.env_folder / "bootstrap" / "bootstrap.tfvars.json"
        inputs.write_text(json.dumps(_inputs(workspace, state, aws), indent=2), encoding="utf-8")
        with show.stage("plan"):
            planned = terraform.plan(inputs)
        show.plan(planned.changes)
        if not planned.is_empty:
            with show.stage("apply"):
                terraform.apply(planned)
        _print_what_goes_where(workspace, terraform.values())


def _state(workspace: Workspace) -> dict[str, str]:
    """Return bucket and key of the env's state; raise InputError if it is not locked in the env's own region."""
    env = workspace.env
    bucket = state_bucket(workspace.root, env.name)
    path = workspace.root / "terraform" / "envs" / f"{env.name}.s3.tfbackend"
    settings = backend_settings(path)
    wrong = []
    if settings.get("region") != env.region:
        wrong.append(f'expected region = "{env.region}", as in slipway.toml, got {settings.get("region")}')
    if not settings.get("key", "").endswith(".tfstate"):
        wrong.append(f"expected a key that ends in .tfstate, got {settings.get('key')}")
    if wrong:
        raise InputError(
            f"terraform/envs/{path.name} does not say where the state of {env.name} is",
            facts=wrong,
            hint=f"correct it, then run `invoke bootstrap --env {env.name}`",
        )
    return {"bucket": bucket, "key": settings["key"]}


def _inputs(workspace: Workspace, state: dict[str, str], aws: Aws) -> dict[str, Any]:
    env, repository = workspace.env, workspace.github_repository
    github = {"repository": repository, "create_provider": _provider_is_ours_to_make(workspace, aws)}
    return {
        "account_id": env.account_id,
        "artifact_bucket": env.artifact_bucket,
        "env": env.name,
        "github": github if repository else None,
        "name": workspace.name,
        "region": env.region,
        "state": state,
    }


def _provider_is_ours_to_make(workspace: Workspace, aws: Aws) -> bool:
    """Tell whether the account has no OIDC provider for GitHub, or the one that this env made: its tags say so."""
    iam, env = aws.client("iam"), workspace.env
    arn = f"arn:{env.partition}:iam::{env.account_id}:{_GITHUB}"
    with asking("looking for GitHub's OIDC provider", hint="it takes iam:ListOpenIDConnectProviders"):
        providers = iam.list_open_id_connect_providers()["OpenIDConnectProviderList"]
        if arn not in {each["Arn"] for each in providers}:
            return True
        told = iam.get_open_id_connect_provider(OpenIDConnectProviderArn=arn).get("Tags", [])
    tags = {each["Key"]: each["Value"] for each in told}
    return (tags.get("slipway"), tags.get("env")) == (workspace.name, env.name)


def _print_what_goes_where(workspace: Workspace, made: dict[str, Any]) -> None:
    env = workspace.env
    rows = [(f"terraform/envs/{env.name}.tfvars", "permissions_boundary", made["permissions_boundary"])]
    for environment, arn in made["roles"].items():
        rows += [(f"GitHub environment {environment}", "AWS_ROLE_ARN", arn)]
        rows += [(f"GitHub environment {environment}", "AWS_REGION", env.region)]
    report.print_table(("where", "name", "value"), rows)
    if not workspace.github_repository:
        report.Reporter().note("no roles for workflows: slipway.toml has no [github] repository")
