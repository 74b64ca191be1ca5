"""What moto's CodeDeploy does not know: see `build.local.mends`. Of what it can shift, only functions.

A deployment takes one step whenever somebody looks at it, so that nobody waits for minutes; else it is as on AWS:
hooks are invoked and waited for, an alarm of its group ends it, and whatever ends it brings everybody back.
"""

import json
from collections.abc import Iterator
from typing import Any

from build.local.patching import Undo, add_action, replace

# Everything here takes and gives objects of moto, which has no types to speak of.
# ruff: noqa: SLF001

_ENDED = ("Succeeded", "Failed", "Stopped")


def keep_deployment_configs() -> Iterator[Undo]:
    """Moto has no deployment configurations."""
    from moto.codedeploy.responses import CodeDeployResponse
    from moto.core.responses import ActionResult, EmptyResult

    def create_deployment_config(self: Any) -> Any:
        name = self._get_param("deploymentConfigName")
        keys = ("deploymentConfigName", "computePlatform", "trafficRoutingConfig")
        _configs(self.codedeploy_backend)[name] = {
            "deploymentConfigId": name,
            **{key: self._get_param(key) for key in keys},
        }
        return ActionResult({"deploymentConfigId": name})

    def get_deployment_config(self: Any) -> Any:
        name = self._get_param("deploymentConfigName")
        if name not in _configs(self.codedeploy_backend):
            raise _refused(
                "DeploymentConfigDoesNotExistException", f"No Deployment Configuration found for name: {name}"
            )
        return ActionResult({"deploymentConfigInfo": _configs(self.codedeploy_backend)[name]})

    def list_deployment_configs(self: Any) -> Any:
        return ActionResult({"deploymentConfigsList": list(_configs(self.codedeploy_backend))})

    def delete_deployment_config(self: Any) -> Any:
        _configs(self.codedeploy_backend).pop(self._get_param("deploymentConfigName"), None)
        return EmptyResult()

    for action in (create_deployment_config, get_deployment_config, list_deployment_configs, delete_deployment_config):
        yield add_action(CodeDeployResponse, action)


def change_deployment_groups() -> Iterator[Undo]:
    """Moto can neither change nor delete applications and groups, keeps alarms back, and tells of what they lack."""
    from moto.codedeploy import responses
    from moto.codedeploy.responses import CodeDeployResponse
    from moto.core.responses import ActionResult, EmptyResult

    def told(original: Any) -> Any:
        def _deployment_group_info(group: Any) -> dict[str, Any]:
            info = {**original(group), "alarmConfiguration": group.alarm_configuration}
            return {name: value for name, value in info.items() if value not in ({}, [], None)}

        return _deployment_group_info

    def update_deployment_group(self: Any) -> Any:
        names = (self._get_param("applicationName"), self._get_param("currentDeploymentGroupName"))
        group = self.codedeploy_backend.get_deployment_group(*names)
        given = {
            "deployment_config_name": self._get_param("deploymentConfigName"),
            "service_role_arn": self._get_param("serviceRoleArn"),
            "alarm_configuration": self._get_param("alarmConfiguration"),
            "auto_rollback_configuration": self._get_param("autoRollbackConfiguration"),
            "deployment_style": self._get_param("deploymentStyle"),
        }
        for name, value in given.items():
            if value is not None:
                setattr(group, name, value)
        return ActionResult({})

    def delete_deployment_group(self: Any) -> Any:
        groups = self.codedeploy_backend.deployment_groups.get(self._get_param("applicationName"), {})
        groups.pop(self._get_param("deploymentGroupName"), None)
        return ActionResult({})

    def delete_application(self: Any) -> Any:
        self.codedeploy_backend.applications.pop(self._get_param("applicationName"), None)
        return EmptyResult()

    yield replace(responses, "_deployment_group_info", told)
    for action in (update_deployment_group, delete_deployment_group, delete_application):
        yield add_action(CodeDeployResponse, action)


def begin_deployments() -> Iterator[Undo]:
    """Moto's deployments never begin, and it takes any number of them for one group."""
    from moto.codedeploy.models import CodeDeployBackend

    def create(original: Any) -> Any:
        def create_deployment(self: Any, application_name: str, deployment_group_name: str, **given: Any) -> Any:
            for each in self.deployments.values():
                same = (each.application_name, each.deployment_group_name) == (application_name, deployment_group_name)
                if same and each.status not in _ENDED:
                    message = f"The Deployment Group '{deployment_group_name}' is deploying '{each.deployment_id}'"
                    raise _refused("DeploymentLimitExceededException", message)
            identity = original(self, application_name, deployment_group_name, **given)
            self.deployments[identity].shift = _Shift(self, self.deployments[identity])
            return identity

        return create_deployment

    yield replace(CodeDeployBackend, "create_deployment", create)


def shift_callers() -> Iterator[Undo]:
    """Moto's deployments have no targets, and never come to an end."""
    from moto.codedeploy import responses
    from moto.codedeploy.models import CodeDeployBackend
    from moto.codedeploy.responses import CodeDeployResponse
    from moto.core.responses import ActionResult

    def look(original: Any) -> Any:
        def get_deployment(self: Any, deployment_id: str) -> Any:
            deployment = original(self, deployment_id)
            deployment.shift.step()
            return deployment

        return get_deployment

    def told(original: Any) -> Any:
        def _deployment_info(deployment: Any) -> dict[str, Any]:
            return {**original(deployment), "errorInformation": deployment.shift.error}

        return _deployment_info

    def list_deployment_targets(self: Any) -> Any:
        return ActionResult({"targetIds": [_asked(self).shift.target]})

    def batch_get_deployment_targets(self: Any) -> Any:
        shift = _asked(self).shift
        target = {"targetId": shift.target, "lifecycleEvents": shift.events}
        return ActionResult({"deploymentTargets": [{"deploymentTargetType": "LambdaTarget", "lambdaTarget": target}]})

    yield replace(CodeDeployBackend, "get_deployment", look)
    yield replace(responses, "_deployment_info", told)
    yield add_action(CodeDeployResponse, list_deployment_targets)
    yield add_action(CodeDeployResponse, batch_get_deployment_targets)


def stop_deployments() -> Iterator[Undo]:
    """Moto's deployments can be stopped by nobody, and no hook can say how it went."""
    from moto.codedeploy.responses import CodeDeployResponse
    from moto.core.responses import ActionResult

    def put_lifecycle_event_hook_execution_status(self: Any) -> Any:
        execution = self._get_param("lifecycleEventHookExecutionId")
        _asked(self).shift.events[int(execution)]["status"] = self._get_param("status")
        return ActionResult({"lifecycleEventHookExecutionId": execution})

    def stop_deployment(self: Any) -> Any:
        deployment = _asked(self)
        if deployment.status in _ENDED:
            raise _refused("DeploymentAlreadyCompletedException", f"{deployment.deployment_id} is over")
        deployment.shift.end("Stopped", "MANUAL_STOP", "Deployment stopped by user")
        return ActionResult({"status": "Succeeded", "statusMessage": "No more lifecycle events will be scheduled."})

    yield add_action(CodeDeployResponse, put_lifecycle_event_hook_execution_status)
    yield add_action(CodeDeployResponse, stop_deployment)


class _Shift:
    """How far one deployment is."""

    def __init__(self, backend: Any, deployment: Any) -> None:
        content = json.loads(deployment.revision["appSpecContent"]["content"])
        (self.resource,) = (each["Properties"] for resource in content["Resources"] for each in resource.values())
        self.hooks = {event: hook for each in content.get("Hooks", ()) for event, hook in each.items()}
        names = [name for name in ("BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic") if name in self._all()]
        self.events: list[dict[str, Any]] = [{"lifecycleEventName": name, "status": "Pending"} for name in names]
        self.target = f"{self.resource['Name']}:{self.resource['Alias']}"
        self.error: dict[str, str] = {}
        self._backend, self._deployment = backend, deployment
        self._shares = _shares(_configs(backend).get(deployment.deployment_config_name), deployment)
        deployment.status = "InProgress"

    def step(self) -> None:
        """Go on as far as nobody has to be waited for."""
        while self._deployment.status == "InProgress":
            if off := self._alarms():
                self.end("Failed", "ALARM_ACTIVE", f"One or more alarms have been activated: {', '.join(off)}")
                return
            at = next((at for at, each in enumerate(self.events) if each["status"] != "Succeeded"), None)
            if at is None:
                self._deployment.status = "Succeeded"
                return
            event, name = self.events[at], self.events[at]["lifecycleEventName"]
            if event["status"] == "Failed":
                self.end("Failed", "HOOK_EXECUTION_FAILURE", f"The hook of {name} said that it failed")
            elif name == "AllowTraffic":
                self._point(self._shares.pop(0))
                event["status"] = "InProgress" if self._shares else "Succeeded"
                if self._shares:
                    return
            else:
                if event["status"] == "Pending":
                    event["status"] = "InProgress"
                    ids = {"DeploymentId": self._deployment.deployment_id, "LifecycleEventHookExecutionId": str(at)}
                    self._functions().get_function(self.hooks[name])._invoke_lambda(ids)
                return

    def end(self, status: str, code: str, message: str) -> None:
        """Give everybody the old version again."""
        self._point(0)
        self._deployment.status, self.error = status, {"code": code, "message": message}

    def _all(self) -> set[str]:
        return {"AllowTraffic", *self.hooks}

    def _point(self, percent: int) -> None:
        current, target = self.resource["CurrentVersion"], self.resource["TargetVersion"]
        alias = self._functions().get_alias(name=self.resource["Alias"], function_name=self.resource["Name"])
        weights = {target: percent / 100} if 0 < percent < 100 else {}
        alias.update(None, target if percent == 100 else current, {"AdditionalVersionWeights": weights})
        alias.revision_id = f"{self._deployment.deployment_id}-{percent}"

    def _alarms(self) -> list[str]:
        from moto.cloudwatch.models import cloudwatch_backends

        watched = (self._deployment.deployment_group.alarm_configuration or {}).get("alarms", ())
        alarms = cloudwatch_backends[self._backend.account_id][self._backend.region_name].alarms
        names = sorted(each["name"] for each in watched)
        return [name for name in names if name in alarms and alarms[name].state_value == "ALARM"]

    def _functions(self) -> Any:
        from moto.awslambda.utils import get_backend

        return get_backend(self._backend.account_id, self._backend.region_name)


def _shares(config: dict[str, Any] | None, deployment: Any) -> list[int]:
    """Return the percentages of the steps, as far as the configuration says; AWS's own begin with 10 percent."""
    name = str(deployment.deployment_config_name)
    routing = (config or {}).get("trafficRoutingConfig", {})
    if "timeBasedLinear" in routing or "Linear" in name:
        share = routing.get("timeBasedLinear", {}).get("linearPercentage", 10)
        return [*range(share, 100, share), 100]
    if "timeBasedCanary" in routing or "Canary" in name:
        return [routing.get("timeBasedCanary", {}).get("canaryPercentage", 10), 100]
    return [100]


def _asked(response: Any) -> Any:
    """Return the deployment that a request is about."""
    return response.codedeploy_backend.deployments[response._get_param("deploymentId")]


def _configs(backend: Any) -> dict[str, dict[str, Any]]:
    configs: dict[str, dict[str, Any]] = backend.__dict__.setdefault("deployment_configs", {})
    return configs


def _refused(code: str, message: str) -> Exception:
    from moto.codedeploy.exceptions import CodeDeployException

    error: Exception = CodeDeployException(code, message)
    return error
