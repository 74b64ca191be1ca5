from dataclasses import replace

import pytest

from build.model import IMAGE, Architecture, Runtime, Target
from build.options import (
    Asynchronous,
    FileSystem,
    ImageConfig,
    Network,
    Options,
    Provisioned,
    ProvisionedSchedule,
    Secret,
)
from build.project.contradictions import contradictions
from build.triggers import QueueTrigger, StreamTrigger, TopicTrigger, Triggers
from tests.builders import function_spec

ACCOUNT = "eu-central-1:123456789012"
QUEUE = f"arn:aws:sqs:{ACCOUNT}:incoming"
NETWORK = Network(subnet_ids=("subnet-1",), security_group_ids=("sg-1",))
FILES = FileSystem(arn=f"arn:aws:elasticfilesystem:{ACCOUNT}:access-point/fsap-1", mount="/mnt/data")


@pytest.fixture
def found(tmp_path):
    def run(*, triggers=None, options=None, **settings):
        """Return the lines about a function, less the place that all begin with."""
        spec = replace(function_spec(tmp_path / "functions/f"), **settings)
        spec = replace(spec, triggers=Triggers(**(triggers or {})), options=Options(**(options or {})))
        lines = list(contradictions(spec))
        assert all(line.startswith("functions/f/function.toml: ") for line in lines)
        return [line.removeprefix("functions/f/function.toml: ") for line in lines]

    return run


def schedule(name, most):
    return ProvisionedSchedule(name=name, expression="rate(1 day)", min=0, max=most)


def test_a_function_with_nothing_but_defaults_is_in_order(found):
    assert found() == []


def test_triggers_of_a_kind_differ_in_name_and_those_of_two_kinds_need_not(found):
    twice = (TopicTrigger(name="t"), TopicTrigger(name="t"))
    assert found(triggers={"topic": twice}) == ["triggers.topic: expected each name once, got `t` 2 times"]
    assert found(triggers={"topic": twice[:1], "queue": (QueueTrigger(name="t"),)}) == []


def test_schedules_of_provisioned_concurrency_differ_in_name(found):
    provisioned = Provisioned(concurrency=1, max=9, schedules=(schedule("day", 5), schedule("day", 6)))
    lines = found(options={"provisioned": provisioned})
    assert lines == ["provisioned.schedules: expected each name once, got `day` 2 times"]


def test_a_source_is_read_once(found):
    queues = tuple(QueueTrigger(name=name, arn=QUEUE) for name in "ab")
    assert found(triggers={"queue": queues}) == [f"triggers.queue: expected each arn once, got {QUEUE} twice"]
    streams = tuple(StreamTrigger(name=name, source="kinesis") for name in "ab")
    assert found(triggers={"stream": streams}) == []


def test_a_variable_holds_a_value_or_the_arn_of_a_secret(found):
    secrets = {"TOKEN": Secret(arn=f"arn:aws:ssm:{ACCOUNT}:parameter/token")}
    assert found(environment={"TOKEN": "x"}, options={"secrets": secrets}) == [
        "secrets.TOKEN: expected a name that [environment] has not, got TOKEN, which it has"
    ]
    assert found(environment={"TOKENS": "x"}, options={"secrets": secrets}) == []


def test_what_was_given_up_is_told_in_one_way(found):
    both = {"dead_letter_arn": QUEUE, "asynchronous": Asynchronous(on_failure="queue")}
    (line,) = found(options=both)
    assert line == "dead_letter_arn: expected this or asynchronous.on_failure, which tells the reason too, got both"
    assert found(options={"dead_letter_arn": QUEUE, "asynchronous": Asynchronous(on_success=QUEUE)}) == []


def test_a_file_system_needs_a_network(found):
    (line,) = found(options={"file_system": FILES})
    assert line == "file_system: expected [network] beside it, since EFS is reached inside a VPC, got none"
    assert found(options={"file_system": FILES, "network": NETWORK}) == []


@pytest.mark.parametrize(
    ("settings", "options", "line"),
    [
        ({"target": Target(Runtime(11), Architecture.ARM64)}, {}, "python3.12 or later, got python3.11"),
        ({"ephemeral_storage_mb": 513}, {}, "an ephemeral_storage_mb of at most 512, got 513"),
        ({}, {"provisioned": Provisioned(concurrency=1)}, "no [provisioned] beside it, got one"),
        ({}, {"file_system": FILES, "network": NETWORK}, "no [file_system] beside it, got one"),
    ],
)
def test_snap_start_is_not_for_every_function(found, settings, options, line):
    assert found(**settings, options={**options, "snap_start": True}) == [f"snap_start: expected {line}"]
    assert found(**settings, options=options) == []


def test_snap_start_works_with_python_312_and_512_mb(found):
    settings = {"target": Target(Runtime(12), Architecture.X86_64), "ephemeral_storage_mb": 512}
    assert found(**settings, options={"snap_start": True}) == []


@pytest.mark.parametrize(
    "provisioned",
    [
        Provisioned(concurrency=6),
        Provisioned(concurrency=1, max=6),
        Provisioned(concurrency=1, max=2, schedules=(schedule("day", 6),)),
    ],
)
def test_what_is_provisioned_is_reserved(found, provisioned):
    options = {"provisioned": provisioned}
    (line,) = found(reserved_concurrency=5, options=options)
    assert line == "reserved_concurrency: expected at least the 6 that [provisioned] may keep ready, got 5"
    assert found(reserved_concurrency=6, options=options) == []
    assert found(reserved_concurrency=None, options=options) == []


BASE = "registry.example.invalid/base:1@sha256:" + "5" * 64
SIGNING = f"arn:aws:lambda:{ACCOUNT}:code-signing-config:csc-0123456789abcdef0"
FOREIGN = f"arn:aws:lambda:{ACCOUNT}:layer:other:3"


def test_what_is_for_images_alone_is_refused_beside_a_zip_all_at_once(found):
    only = 'expected package = "image" beside it, got a zip'
    options = {"image_config": ImageConfig(command=("x",))}
    assert found(base_image=BASE, options=options) == [f"base_image: {only}", f"image_config: {only}"]
    assert found(package=IMAGE, base_image=BASE, options=options) == []


def test_what_is_for_zips_alone_is_refused_beside_an_image_all_at_once(found):
    options = {"snap_start": True, "code_signing_config_arn": SIGNING}
    layers = ("own", FOREIGN, "{custom.layer}")
    assert found(package=IMAGE, layers=layers, options=options) == [
        f"layers: expected folders under layers/, which an image can hold, got {FOREIGN}, {{custom.layer}}",
        "snap_start: expected a zip beside it, got an image",
        "code_signing_config_arn: expected a zip beside it, got an image: Lambda checks the signatures of zips alone",
    ]
    assert found(layers=layers, options=options) == []


def test_layers_of_this_repository_go_into_an_image(found):
    assert found(package=IMAGE, layers=("own",)) == []
