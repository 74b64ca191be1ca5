"""What stands between a plan and what it would do, and how the verbs end."""

import subprocess
import sys
from pathlib import Path

import pytest
from invoke.context import Context
from invoke.exceptions import Exit
from invoke.loader import FilesystemLoader

from build import pipeline, releasing
from build.errors import InputError, ToolError
from build.results import ResourceChange
from tests.builders import make_workspace

ROOT = Path(__file__).parents[2]
QUEUE = ResourceChange(address='module.queue_trigger["a/b"].aws_sqs_queue.this', actions=("delete",))
ROLE = ResourceChange(address='module.execution_role["a"].aws_iam_role.this', actions=("delete",))


def test_a_plan_that_deletes_what_nothing_brings_back_is_refused_with_the_way_to_mean_it():
    with pytest.raises(InputError, match="nothing was changed") as caught:
        releasing._refuse_losses((ROLE, QUEUE), "dev")
    assert caught.value.facts == (QUEUE.address,)
    assert "invoke deploy --env dev --allow-delete" in caught.value.hint


@pytest.mark.parametrize(
    "address",
    [
        'module.queue_trigger["a/b"].aws_sqs_queue.dead_letter[0]',
        'module.stream_trigger["a/b"].aws_dynamodb_table.this[0]',
        'module.bucket_trigger["arn:aws:s3:::a.b"].aws_s3_bucket.this[0]',
        'module.custom.aws_kinesis_stream.clicks["v1.2"]',
    ],
)
def test_everything_that_holds_data_counts_wherever_it_stands(address):
    assert ResourceChange(address=address, actions=("delete",)).loses_data
    assert not ResourceChange(address=address, actions=("update",)).loses_data


def test_a_plan_that_loses_nothing_is_not():
    releasing._refuse_losses((ROLE,), "dev")


def test_a_second_run_on_the_same_env_is_told_of_the_first(tmp_path):
    workspace = make_workspace(tmp_path)
    hold = (
        "import sys; from filelock import FileLock\n"
        "with FileLock(sys.argv[1]): print('held', flush=True); sys.stdin.read()"
    )
    workspace.env_folder.mkdir(parents=True)
    other = [sys.executable, "-c", hold, str(workspace.env_folder / "lock")]
    with subprocess.Popen(other, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout
        assert first.stdin
        first.stdout.readline()
        with pytest.raises(ToolError, match="another run in this checkout works on env dev"), pipeline.alone(workspace):
            pass
        first.stdin.close()
    with pipeline.alone(workspace):
        assert workspace.env_folder.stat().st_mode & 0o700


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (KeyboardInterrupt(), 130, "stopped"),
        (OSError(28, "No space left on device", "/full"), 4, "No space left on device: /full"),
        (InputError("wrong", hint="run `x`"), 2, "error: wrong\nhint: run `x`"),
        (ZeroDivisionError(), 70, "a bug in Slipway"),
    ],
)
def test_a_verb_ends_with_the_exit_code_of_what_stopped_it(raised, code, said):
    tasks, _ = FilesystemLoader(start=str(ROOT)).load("tasks")

    @tasks.verb()
    def fails(c):
        raise raised

    with pytest.raises(Exit) as caught:
        fails(Context())
    assert caught.value.code == code
    assert said in str(caught.value.message)
