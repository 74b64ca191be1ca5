"""What moto's Lambda answers wrongly, mended: see `build.local.mends`."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

from build.local.function_names import FunctionName
from build.local.patching import Undo, replace


def logging_config_of(function: Any) -> dict[str, str]:
    """Return the LoggingConfig of moto's ``function`` as AWS would."""
    defaults = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{function.function_name}"}
    return {**defaults, **getattr(function, "logging_config", {})}


def keep_whole_configuration() -> Iterator[Undo]:
    """Moto drops LoggingConfig, DeadLetterConfig, FileSystemConfigs and SnapStart: Terraform plans them for ever."""
    from moto.awslambda.models import LambdaFunction

    def init(original: Any) -> Any:
        def construct(self: Any, account_id: str, spec: dict[str, Any], region: str, version: Any = 1) -> None:
            self.logging_config = spec.get("LoggingConfig") or {}
            self.dropped = {name: spec.get(name) for name in _DROPPED}
            original(self, account_id, spec, region, version)

        return construct

    def get(original: Any) -> Any:
        def get_configuration(self: Any, on_create: bool = False) -> dict[str, Any]:
            answer: dict[str, Any] = {**original(self, on_create), "LoggingConfig": logging_config_of(self)}
            if (self.dropped["DeadLetterConfig"] or {}).get("TargetArn"):
                answer["DeadLetterConfig"] = self.dropped["DeadLetterConfig"]
            if self.dropped["FileSystemConfigs"]:
                answer["FileSystemConfigs"] = self.dropped["FileSystemConfigs"]
            apply_on = (self.dropped["SnapStart"] or {}).get("ApplyOn", "None")
            is_on = apply_on != "None" and answer["Version"] != "$LATEST"
            answer["SnapStart"] = {"ApplyOn": apply_on, "OptimizationStatus": "On" if is_on else "Off"}
            return answer

        return get_configuration

    yield replace(LambdaFunction, "__init__", init)
    yield replace(LambdaFunction, "get_configuration", get)


_DROPPED = ("DeadLetterConfig", "FileSystemConfigs", "SnapStart")


def copy_no_backends() -> Iterator[Undo]:
    """Moto copies a function that it makes, and with it every log group there is.

    That takes longer with each, and fails where another request makes one meanwhile: after the function was made.
    """
    from moto.core.base_backend import BaseBackend

    BaseBackend.__deepcopy__ = lambda self, _memo: self
    yield lambda: delattr(BaseBackend, "__deepcopy__")


def update_whole_configuration() -> Iterator[Undo]:
    """Moto's UpdateFunctionConfiguration ignores half of the settings: what Terraform changed comes back as before."""
    from moto.awslambda.models import ImageConfig, LambdaFunction

    forgotten: dict[str, Callable[[Any, Any], None]] = {
        "EphemeralStorage": lambda function, value: setattr(function, "ephemeral_storage", value["Size"]),
        "ImageConfig": lambda function, value: setattr(function, "image_config", ImageConfig(value)),
        "KMSKeyArn": lambda function, value: setattr(function, "kms_key_arn", value),
        "LoggingConfig": lambda function, value: setattr(function, "logging_config", value),
        "TracingConfig": lambda function, value: setattr(function, "tracing_config", value),
    }

    def update(original: Any) -> Any:
        def update_configuration(self: Any, spec: dict[str, Any]) -> Any:
            for name in forgotten.keys() & spec.keys():
                forgotten[name](self, spec[name])
            self.dropped = {name: spec.get(name, kept) for name, kept in self.dropped.items()}
            return original(self, spec)

        return update_configuration

    def update_code(original: Any) -> Any:
        def update_function_code(self: Any, spec: dict[str, Any]) -> Any:
            if "Architectures" in spec:
                self.architectures = spec["Architectures"]
            return original(self, spec)

        return update_function_code

    yield replace(LambdaFunction, "update_configuration", update)
    yield replace(LambdaFunction, "update_function_code", update_code)


def tell_of_no_concurrency() -> Iterator[Undo]:
    """Moto's GetFunction leaves out a reserved concurrency of 0, which is how a function is switched off."""
    from moto.awslambda.models import LambdaFunction

    def get(original: Any) -> Any:
        def get_code(self: Any) -> dict[str, Any]:
            code: dict[str, Any] = original(self)
            if self.reserved_concurrency is not None:
                code["Concurrency"] = {"ReservedConcurrentExecutions": int(self.reserved_concurrency)}
            return code

        return get_code

    yield replace(LambdaFunction, "get_code", get)


def omit_empty_image_config() -> Iterator[Undo]:
    """Moto gives every function of package type Image an ImageConfig, which Terraform then wants to remove."""
    from moto.awslambda.models import LambdaFunction

    def get(original: Any) -> Any:
        def get_configuration(self: Any, on_create: bool = False) -> dict[str, Any]:
            configuration: dict[str, Any] = original(self, on_create)
            given = configuration.get("ImageConfigResponse", {}).get("ImageConfig", {})
            if not any(given.values()):
                configuration.pop("ImageConfigResponse", None)
            return configuration

        return get_configuration

    yield replace(LambdaFunction, "get_configuration", get)


def tell_images_apart() -> Iterator[Undo]:
    """Moto's CodeSha256 of an image is that of its URI's letters, and its ResolvedImageUri has two digests.

    And what is published follows $LATEST to its next image, for both have one dictionary.
    """
    from moto.awslambda.models import LambdaFunction

    def set_code(original: Any) -> Any:
        def _set_function_code(self: Any, updated_spec: dict[str, Any]) -> None:
            self.code = dict(self.code)
            original(self, updated_spec)
            _, _, digest = updated_spec.get("ImageUri", "").partition("@sha256:")
            if digest:
                self.code_sha_256 = digest

        return _set_function_code

    def get(original: Any) -> Any:
        def get_code(self: Any) -> dict[str, Any]:
            code: dict[str, Any] = original(self)
            uri = code.get("Code", {}).get("ImageUri", "")
            if "@" in uri:
                code["Code"]["ResolvedImageUri"] = uri
            return code

        return get_code

    yield replace(LambdaFunction, "_set_function_code", set_code)
    yield replace(LambdaFunction, "get_code", get)


def refuse_code_that_is_missing() -> Iterator[Undo]:
    """Moto answers with 500, which clients try again, where the bucket or the key of a function's code is missing."""
    from moto.awslambda.exceptions import InvalidParameterValueException
    from moto.awslambda.models import LambdaFunction

    def set_code(original: Any) -> Any:
        def _set_function_code(self: Any, updated_spec: dict[str, Any]) -> None:
            try:
                original(self, updated_spec)
            except ValueError as why:
                if why.args[:1] != ("InvalidParameterValueException",):
                    raise
                raise InvalidParameterValueException(why.args[1]) from None

        return _set_function_code

    yield replace(LambdaFunction, "_set_function_code", set_code)


def keep_layers_of_functions() -> Iterator[Undo]:
    """Moto forgets a layer version's bytes when it is deleted; on AWS the functions that have it keep it."""
    from moto.awslambda.models import LambdaFunction, get_backend

    def get_layers(original: Any) -> Any:
        def _get_layers_data(self: Any, arns: list[str]) -> Any:
            data = original(self, arns)
            backend = get_backend(self.account_id, self.region)
            self.layer_versions = [backend.layers_versions_by_arn(arn) for arn in arns]
            return data

        return _get_layers_data

    yield replace(LambdaFunction, "_get_layers_data", get_layers)


def never_reuse_version_numbers() -> Iterator[Undo]:
    """Moto numbers a version by how many there are, so after a deletion a number comes twice.

    AWS never does so, even for a function that was deleted and made anew:
    https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html
    """
    from moto.awslambda.models import LambdaStorage

    def publish(original: Any) -> Any:
        def publish_version(self: Any, name_or_arn: str, description: str = "") -> Any:
            latest = self.get_function_by_name_or_arn_forbid_qualifier(name_or_arn)
            group = self._functions[latest.function_name]
            before = list(group["versions"])
            published = original(self, name_or_arn, description)
            latest.code_or_config_updated = False  # moto leaves it set after the first version
            if published in before:
                return published
            highest = self.__dict__.setdefault("highest_versions", {})  # by name: groups go with their functions
            name = latest.function_name
            number = max([highest.get(name, 0), *(int(version.version) for version in before)]) + 1
            highest[name] = number
            published.set_version(number)
            for version in group["versions"]:
                self._arns[version.function_arn] = version
            return published

        return publish_version

    yield replace(LambdaStorage, "publish_version", publish)


def publish_only_what_was_meant() -> Iterator[Undo]:
    """Moto publishes a version whatever CodeSha256 it is asked for."""
    from moto.awslambda.exceptions import InvalidParameterValueException
    from moto.awslambda.responses import LambdaResponse

    def publish(original: Any) -> Any:
        def publish_version(self: Any) -> Any:
            latest = self.backend.get_function(unquote(self.path.split("/")[-2]))
            wanted = self._get_param("CodeSha256")
            if wanted and wanted != latest.code_sha_256:
                msg = (
                    f"CodeSHA256 ({wanted}) is different from current CodeSHA256 in $LATEST ({latest.code_sha_256}). "
                    "Please try again with the CodeSHA256 in $LATEST."
                )
                raise InvalidParameterValueException(msg)
            return original(self)

        return publish_version

    yield replace(LambdaResponse, "publish_version", publish)


def name_alias_in_mappings() -> Iterator[Undo]:
    """Moto answers an event source mapping with the ARN of the version an alias leads to, not with the alias."""
    from moto.awslambda.models import LambdaBackend

    def named(backend: Any, mapping: Any, spec: dict[str, Any]) -> Any:
        name = FunctionName.parse(
            spec.get("FunctionName", ""), None, region=backend.region_name, account_id=backend.account_id
        )
        if mapping and name:
            mapping.function_arn = name.arn
        return mapping

    def create(original: Any) -> Any:
        def create_event_source_mapping(self: Any, spec: dict[str, Any]) -> Any:
            return named(self, original(self, spec), spec)

        return create_event_source_mapping

    def update(original: Any) -> Any:
        def update_event_source_mapping(self: Any, uuid: str, spec: dict[str, Any]) -> Any:
            return named(self, original(self, uuid, spec), spec)

        return update_event_source_mapping

    yield replace(LambdaBackend, "create_event_source_mapping", create)
    yield replace(LambdaBackend, "update_event_source_mapping", update)


def refuse_statements_twice() -> Iterator[Undo]:
    """Moto takes a statement of a function's policy a second time; then it cannot be removed."""
    from moto.awslambda.models import LambdaBackend
    from moto.core.exceptions import JsonRESTError

    class ConflictError(JsonRESTError):  # type: ignore[misc]
        code = 409

    def add(original: Any) -> Any:
        def add_permission(self: Any, function_name: str, qualifier: str, raw: str) -> Any:
            function = self.get_function(function_name, qualifier)
            sid = json.loads(raw).get("StatementId")
            ending = f":{qualifier}" if qualifier else f":{function.function_name}"
            if any(each["Sid"] == sid and each["Resource"].endswith(ending) for each in function.policy.statements):
                message = f"The statement id ({sid}) provided already exists."
                raise ConflictError("ResourceConflictException", message)
            return original(self, function_name, qualifier, raw)

        return add_permission

    yield replace(LambdaBackend, "add_permission", add)
