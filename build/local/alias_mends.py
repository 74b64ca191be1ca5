"""What moto's Lambda knows of functions only, or not at all, and AWS of their aliases: see `build.local.mends`."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from build.local.patching import Undo, add_action, replace

# Everything here takes and gives objects of moto, which has no types to speak of.
# ruff: noqa: SLF001


def event_invoke_config_of(function: Any, qualifier: str | None) -> dict[str, Any]:
    """Return what holds for asynchronous events of ``qualifier`` of moto's ``function``; empty if nothing was said."""
    arn = f"{function.function_arn}:{qualifier or '$LATEST'}"
    return next((each.config for each in function.event_invoke_config if each.arn == arn), {})


def tell_event_invoke_configs_apart() -> Iterator[Undo]:
    """Moto has one EventInvokeConfig for a function and all of its aliases, and answers with the first it ever had."""
    from moto.awslambda.exceptions import UnknownEventConfig
    from moto.awslambda.models import EventInvokeConfig
    from moto.awslambda.responses import LambdaResponse
    from moto.core.responses import ActionResult, EmptyResult

    def get(_: Any) -> Any:
        def get_function_event_invoke_config(self: Any) -> Any:
            function, arn = _asked(self)
            for each in function.event_invoke_config:
                if each.arn == arn:
                    return ActionResult(each.response())
            raise UnknownEventConfig(arn)

        return get_function_event_invoke_config

    def put(_: Any) -> Any:
        def put_function_event_invoke_config(self: Any) -> Any:
            function, arn = _asked(self)
            config = EventInvokeConfig(arn, function.last_modified, self.json_body)
            function.event_invoke_config[:] = [each for each in function.event_invoke_config if each.arn != arn]
            function.event_invoke_config.append(config)
            return ActionResult(config.response())

        return put_function_event_invoke_config

    def delete(_: Any) -> Any:
        def delete_function_event_invoke_config(self: Any) -> Any:
            self.get_function_event_invoke_config()  # refuses what is not there
            function, arn = _asked(self)
            function.event_invoke_config[:] = [each for each in function.event_invoke_config if each.arn != arn]
            return EmptyResult()

        return delete_function_event_invoke_config

    yield replace(LambdaResponse, "get_function_event_invoke_config", get)
    yield replace(LambdaResponse, "put_function_event_invoke_config", put)
    yield replace(LambdaResponse, "delete_function_event_invoke_config", delete)


def revise_aliases() -> Iterator[Undo]:
    """Moto gives an alias one revision for ever, and lets everybody change it whichever revision they have seen."""
    from moto.awslambda.exceptions import LambdaClientError
    from moto.awslambda.responses import LambdaResponse
    from moto.moto_api._internal import mock_random

    def change(original: Any) -> Any:
        def update_alias(self: Any) -> Any:
            function, name = (unquote(part) for part in self.path.split("/")[-3::2])
            seen = json.loads(self.body).get("RevisionId")
            alias = self.backend.get_alias(name=name, function_name=function)
            if seen not in (None, alias.revision_id):
                refused = LambdaClientError(
                    "PreconditionFailedException", "The Revision Id provided does not match the latest Revision Id."
                )
                refused.code = 412
                raise refused
            alias.revision_id = str(mock_random.uuid4())
            return original(self)

        return update_alias

    yield replace(LambdaResponse, "update_alias", change)


def keep_provisioned_concurrency() -> Iterator[Undo]:
    """Moto has no provisioned concurrency. Nothing is started for it here, either: it is ready at once."""
    from moto.awslambda import urls
    from moto.awslambda.exceptions import LambdaClientError
    from moto.awslambda.responses import LambdaResponse
    from moto.core.utils import iso_8601_datetime_with_milliseconds

    def get_provisioned_concurrency_config(self: Any) -> Any:
        configs, qualifier = _provisioned(self)
        if qualifier not in configs:
            refused = LambdaClientError(
                "ProvisionedConcurrencyConfigNotFoundException",
                "No Provisioned Concurrency Config found for this function",
            )
            refused.code = 404
            raise refused
        return 200, {}, json.dumps(configs[qualifier])

    def put_provisioned_concurrency_config(self: Any) -> Any:
        configs, qualifier = _provisioned(self)
        number = self._get_param("ProvisionedConcurrentExecutions")
        configs[qualifier] = {
            **{f"{what}ProvisionedConcurrentExecutions": number for what in ("Requested", "Available", "Allocated")},
            "Status": "READY",
            "LastModified": iso_8601_datetime_with_milliseconds(),
        }
        return 202, {"status": 202}, json.dumps(configs[qualifier])

    def list_provisioned_concurrency_configs(self: Any) -> Any:
        function = self.backend.get_function(_function_name(self))
        configs = self.backend._lambdas._functions[function.function_name].get("provisioned", {})
        listed = [{**each, "FunctionArn": f"{function.function_arn}:{name}"} for name, each in configs.items()]
        return 200, {}, json.dumps({"ProvisionedConcurrencyConfigs": listed})

    def delete_provisioned_concurrency_config(self: Any) -> Any:
        configs, qualifier = _provisioned(self)
        configs.pop(qualifier, None)
        return 204, {"status": 204}, ""

    path = r"{0}/(?P<api_version>[^/]+)/functions/(?P<function_name>[\w_:%-]+)/provisioned-concurrency$"
    urls.url_paths[path] = LambdaResponse.dispatch
    yield lambda: urls.url_paths.pop(path)
    yield add_action(LambdaResponse, get_provisioned_concurrency_config)
    yield add_action(LambdaResponse, put_provisioned_concurrency_config)
    yield add_action(LambdaResponse, list_provisioned_concurrency_configs)
    yield add_action(LambdaResponse, delete_provisioned_concurrency_config)


def change_code_signing() -> Iterator[Undo]:
    """Moto takes a CodeSigningConfigArn only when a function is made."""
    from moto.awslambda.responses import LambdaResponse

    def put_function_code_signing_config(self: Any) -> str:
        function = self.backend.get_function(_function_name(self))
        function.code_signing_config_arn = self._get_param("CodeSigningConfigArn")
        return self.get_function_code_signing_config()  # type: ignore[no-any-return]

    def delete_function_code_signing_config(self: Any) -> Any:
        self.backend.get_function(_function_name(self)).code_signing_config_arn = None
        return 204, {"status": 204}, ""

    yield add_action(LambdaResponse, put_function_code_signing_config)
    yield add_action(LambdaResponse, delete_function_code_signing_config)


def update_whole_url() -> Iterator[Undo]:
    """Moto ignores a new InvokeMode of a function URL, and Cors that are taken away."""
    from moto.awslambda.models import FunctionUrlConfig

    def update(original: Any) -> Any:
        def updated(self: Any, new_config: dict[str, Any]) -> None:
            original(self, new_config)
            self.config.update({name: new_config[name] for name in ("Cors", "InvokeMode") if name in new_config})

        return updated

    def to_dict(original: Any) -> Any:
        def told(self: Any) -> dict[str, Any]:
            mode = self.config.get("InvokeMode") or "BUFFERED"
            return {**original(self), "Cors": self.config.get("Cors") or None, "InvokeMode": mode}

        return told

    yield replace(FunctionUrlConfig, "update", update)
    yield replace(FunctionUrlConfig, "to_dict", to_dict)


def keep_aliases_of_urls() -> Iterator[Undo]:
    """Moto forgets which alias a function URL is of, and says that it is of the function."""
    from moto.awslambda.models import FunctionUrlConfig
    from moto.awslambda.responses import LambdaResponse

    def create(original: Any) -> Any:
        def create_function_url_config(self: Any) -> Any:
            original(self)
            config = self.backend.get_function_url_config(_function_name(self))
            config.config["Qualifier"] = self._get_param("Qualifier")
            return 201, {"status": 201}, json.dumps(config.to_dict())

        return create_function_url_config

    def to_dict(original: Any) -> Any:
        def told(self: Any) -> dict[str, Any]:
            qualifier = self.config.get("Qualifier")
            arn = self.function.function_arn
            return {**original(self), "FunctionArn": f"{arn}:{qualifier}" if qualifier else arn}

        return told

    yield replace(LambdaResponse, "create_function_url_config", create)
    yield replace(FunctionUrlConfig, "to_dict", to_dict)


def _asked(response: Any) -> tuple[Any, str]:
    """Return the function a request is about, and the ARN of what it says of it."""
    function = response.backend.get_function(_function_name(response))
    return function, f"{function.function_arn}:{response._get_param('Qualifier') or '$LATEST'}"


def _provisioned(response: Any) -> tuple[dict[str, Any], str]:
    """Return what the function's aliases have, and which of them a request is about; refuse one that is not there."""
    qualifier = response._get_param("Qualifier")
    function = response.backend.get_function(_function_name(response), qualifier)
    group = response.backend._lambdas._functions[function.function_name]
    return group.setdefault("provisioned", {}), qualifier


def _function_name(response: Any) -> str:
    return unquote(response.path.split("/functions/")[1].split("/")[0])
