"""What moto answers wrongly, mended. Each mend says which defect it heals, and goes when moto is fixed.

`tests/integration/test_local_mends.py` runs plain moto, too, and fails once a defect is gone from it. All were seen in
moto 5.2.5.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from build.local import alias_mends, gateway_mends, lambda_mends, storage_mends
from build.local.function_names import FunctionName
from build.local.patching import Undo, replace

if TYPE_CHECKING:
    from build.local.invoker import Invoker

MENDS: tuple[Callable[[], Iterator[Undo]], ...] = (
    lambda_mends.keep_whole_configuration,
    lambda_mends.update_whole_configuration,
    lambda_mends.tell_of_no_concurrency,
    lambda_mends.omit_empty_image_config,
    lambda_mends.keep_layers_of_functions,
    lambda_mends.never_reuse_version_numbers,
    lambda_mends.name_alias_in_mappings,
    alias_mends.tell_event_invoke_configs_apart,
    alias_mends.keep_provisioned_concurrency,
    alias_mends.change_code_signing,
    alias_mends.update_whole_url,
    storage_mends.write_redrive_policy_compactly,
    storage_mends.keep_policies_of_queues,
    storage_mends.lock_queues,
    storage_mends.keep_given_checksums,
    storage_mends.put_conditionally_in_one_step,
    storage_mends.take_requests_as_tls,
    gateway_mends.finish_domain_names,
    gateway_mends.tag_new_streams,
)


@contextmanager
def installed() -> Iterator[None]:
    """Mend moto in this process; at the end it is as it was."""
    with ExitStack() as stack:
        for mend in MENDS:
            for undo in mend():
                stack.callback(undo)
        yield


@contextmanager
def invoking(invoker: "Invoker", wake: Callable[[], None]) -> Iterator[None]:
    """Moto's Lambda runs code only in Docker, and queues push into it. Route both to ``invoker`` and its poller.

    The Invoke API itself is answered by `build.local.front`; this is for services that call functions inside moto.
    ``wake`` is called when a queue or a mapping changes.
    """
    from moto.awslambda.models import LambdaBackend, LambdaFunction
    from moto.sqs.models import Message, Queue

    def run(_: Any) -> Any:
        def _invoke_lambda(self: Any, event: Any = None) -> tuple[str, bool, str]:
            name = FunctionName(
                name=self.function_name, qualifier=str(self.version), region=self.region, account_id=self.account_id
            )
            outcome = invoker.invoke(name, json.dumps(event or {}).encode()).outcome
            return outcome.payload.decode(), outcome.error is not None, outcome.log_tail

        return _invoke_lambda

    def waking(original: Any) -> Any:
        def changed(self: Any, *arguments: Any, **named: Any) -> Any:
            result = original(self, *arguments, **named)
            wake()
            return result

        return changed

    def add(original: Any) -> Any:
        def add_message(self: Any, message: Any) -> None:
            self.lambda_event_source_mappings = {}  # moto would hand the message over here and now
            original(self, message)
            wake()

        return add_message

    with ExitStack() as stack:
        stack.callback(replace(LambdaFunction, "_invoke_lambda", run))
        stack.callback(replace(Queue, "add_message", add))
        for owner, name in (
            (LambdaBackend, "create_event_source_mapping"),
            (LambdaBackend, "update_event_source_mapping"),
            (Message, "change_visibility"),
        ):
            stack.callback(replace(owner, name, waking))
        yield
