"""What moto's API Gateway, Kinesis, Scheduler and Application Auto Scaling answer wrongly: see `build.local.mends`."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from build.local.patching import Undo, add_action, replace


def finish_domain_names() -> Iterator[Undo]:
    """Moto never says that a domain name is available, nor what its DNS record must lead to, and cannot change one."""
    from moto.apigatewayv2.models import DomainName
    from moto.apigatewayv2.responses import ApiGatewayV2Response

    def to_json(original: Any) -> Any:
        def told(self: Any) -> dict[str, Any]:
            answer: dict[str, Any] = original(self)
            region = self.domain_name_arn.split(":")[3]
            made = {
                "apiGatewayDomainName": f"d-{abs(hash(self.domain_name)):x}.execute-api.{region}.amazonaws.com",
                "domainNameStatus": "AVAILABLE",
                "hostedZoneId": "Z1UJRXOUMOFQ8",  # of us-east-1; every region has one of its own
            }
            answer["domainNameConfigurations"] = [{**made, **each} for each in self.domain_name_configurations]
            return {name: value for name, value in answer.items() if value or name != "mutualTlsAuthentication"}

        return told

    def update_domain_name(self: Any) -> Any:
        domain = self.apigatewayv2_backend.get_domain_name(domain_name=self.path.split("/")[-1])
        domain.domain_name_configurations = json.loads(self.body).get(
            "domainNameConfigurations", domain.domain_name_configurations
        )
        return 200, {}, json.dumps(domain.to_json())

    yield replace(DomainName, "to_json", to_json)
    yield add_action(ApiGatewayV2Response, update_domain_name)


def change_stages() -> Iterator[Undo]:
    """Moto cannot change a stage: neither its settings, nor those of a route."""
    from moto.apigateway.urls import url_paths  # of both API Gateways: one server answers for both
    from moto.apigatewayv2.models import Stage
    from moto.apigatewayv2.responses import ApiGatewayV2Response

    def stage_of(response: Any) -> Any:
        api_id, _, stage = unquote(response.path).split("/apis/")[1].split("/")[:3]
        return response.apigatewayv2_backend.get_stage(api_id, stage)

    def update_stage(self: Any) -> Any:
        stage, changes = stage_of(self), json.loads(self.body)
        routes = {**stage.route_settings, **changes.get("routeSettings", {})}
        api = self.apigatewayv2_backend.get_api(self.path.split("/")[-3])
        updated = Stage(api, {**stage.config, **changes, "routeSettings": routes, "stageName": stage.name})
        updated.created, updated.tags = stage.created, stage.tags
        api.stages[stage.name] = updated
        return 200, {}, json.dumps(updated.to_json())

    def delete_route_settings(self: Any) -> Any:
        stage_of(self).route_settings.pop(unquote(self.path).split("/routesettings/")[1], None)
        return 204, {"status": 204}, ""

    path = "{0}/v2/apis/(?P<api_id>[^/]+)/stages/(?P<stage_name>[^/]+)/routesettings/(?P<route_key>.+)$"
    url_paths[path] = ApiGatewayV2Response.dispatch
    yield lambda: url_paths.pop(path)
    yield add_action(ApiGatewayV2Response, update_stage)
    yield add_action(ApiGatewayV2Response, delete_route_settings)


def tag_new_streams() -> Iterator[Undo]:
    """Moto drops the tags that CreateStream gives."""
    from moto.kinesis.responses import KinesisResponse

    def create(original: Any) -> Any:
        def create_stream(self: Any) -> Any:
            answer = original(self)
            self.kinesis_backend.streams[self._get_param("StreamName")].tags.update(self._get_param("Tags") or {})
            return answer

        return create_stream

    yield replace(KinesisResponse, "create_stream", create)


def tag_scalable_targets() -> Iterator[Undo]:
    """Moto knows no tags of scalable targets, and refuses the question: Terraform asks it again for half an hour."""
    from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse

    def tags(response: Any, arn: str) -> dict[str, str]:
        dimensions = response.applicationautoscaling_backend.targets.values()
        (target,) = [each for targets in dimensions for each in targets.values() if each.arn == arn]
        return target.__dict__.setdefault("tags", {})  # type: ignore[no-any-return]

    def register(original: Any) -> Any:
        def register_scalable_target(self: Any) -> str:
            answer: str = original(self)
            tags(self, json.loads(answer)["ScalableTargetARN"]).update(self._get_param("Tags") or {})
            return answer

        return register_scalable_target

    def list_tags_for_resource(self: Any) -> str:
        return json.dumps({"Tags": tags(self, self._get_param("ResourceARN"))})

    def tag_resource(self: Any) -> str:
        tags(self, self._get_param("ResourceARN")).update(self._get_param("Tags"))
        return "{}"

    def untag_resource(self: Any) -> str:
        of_target = tags(self, self._get_param("ResourceARN"))
        for key in self._get_param("TagKeys"):
            of_target.pop(key, None)
        return "{}"

    yield replace(ApplicationAutoScalingResponse, "register_scalable_target", register)
    for method in (list_tags_for_resource, tag_resource, untag_resource):
        yield add_action(ApplicationAutoScalingResponse, method)


def update_whole_schedules() -> Iterator[Undo]:
    """Moto's UpdateSchedule forgets ActionAfterCompletion, and a schedule that is given no state has none."""
    from moto.scheduler.responses import EventBridgeSchedulerResponse

    def update(original: Any) -> Any:
        def update_schedule(self: Any) -> Any:
            answer = original(self)
            _, group, name = json.loads(answer)["ScheduleArn"].rsplit("/", 2)
            schedule = self.scheduler_backend.get_schedule(group, name)
            schedule.action_after_completion = self._get_param("ActionAfterCompletion")
            schedule.state = schedule.state or "ENABLED"
            return answer

        return update_schedule

    yield replace(EventBridgeSchedulerResponse, "update_schedule", update)
