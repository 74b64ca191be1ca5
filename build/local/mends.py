"""What moto answers wrongly, mended. Each mend says which defect it heals, and goes when moto is fixed.

`tests/integration/test_local_mends.py` runs plain moto, too, and fails once a defect is gone from it. All were seen in
moto 5.2.5.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from build.local import alias_mends, codedeploy_mends, lambda_mends, service_mends, storage_mends, stream_mends
from build.local.patching import Undo

MENDS: tuple[Callable[[], Iterator[Undo]], ...] = (
    lambda_mends.keep_whole_configuration,
    lambda_mends.copy_no_backends,
    lambda_mends.update_whole_configuration,
    lambda_mends.tell_of_no_concurrency,
    lambda_mends.omit_empty_image_config,
    lambda_mends.tell_images_apart,
    lambda_mends.refuse_code_that_is_missing,
    lambda_mends.keep_layers_of_functions,
    lambda_mends.never_reuse_version_numbers,
    lambda_mends.publish_only_what_was_meant,
    lambda_mends.name_alias_in_mappings,
    lambda_mends.refuse_statements_twice,
    alias_mends.tell_event_invoke_configs_apart,
    alias_mends.revise_aliases,
    alias_mends.keep_provisioned_concurrency,
    alias_mends.change_code_signing,
    alias_mends.update_whole_url,
    alias_mends.keep_aliases_of_urls,
    storage_mends.write_redrive_policy_compactly,
    storage_mends.keep_policies_of_queues,
    storage_mends.keep_order_of_groups,
    storage_mends.lock_queues,
    storage_mends.keep_given_checksums,
    storage_mends.put_conditionally_in_one_step,
    storage_mends.let_objects_be_read_to_their_end,
    storage_mends.let_go_of_what_is_gone,
    storage_mends.take_requests_as_tls,
    storage_mends.tell_all_of_buckets,
    stream_mends.write_items_one_by_one,
    stream_mends.tell_of_each_change_once,
    stream_mends.keep_records_in_their_shards,
    service_mends.finish_domain_names,
    service_mends.change_stages,
    service_mends.tag_new_streams,
    service_mends.tag_scalable_targets,
    service_mends.update_whole_schedules,
    codedeploy_mends.keep_deployment_configs,
    codedeploy_mends.change_deployment_groups,
    codedeploy_mends.begin_deployments,
    codedeploy_mends.shift_callers,
    codedeploy_mends.stop_deployments,
)


@contextmanager
def installed() -> Iterator[None]:
    """Mend moto in this process; at the end it is as it was."""
    with ExitStack() as stack:
        for mend in MENDS:
            for undo in mend():
                stack.callback(undo)
        yield
