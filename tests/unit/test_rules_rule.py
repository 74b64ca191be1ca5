import pickle
import sys
from dataclasses import FrozenInstanceError, asdict, replace
from pathlib import Path

import pytest

from build import process
from build.http import HttpTrigger, Throttle
from build.options import Options, Permission
from build.triggers import QueueTrigger

QUEUE = QueueTrigger(name="incoming", batch_size=5)


class TestTable:
    def test_has_defaults_for_what_is_not_given(self):
        assert (QUEUE.batch_size, QUEUE.batch_window_s, QUEUE.arn) == (5, 0, None)

    def test_is_equal_by_content_and_of_one_type(self):
        assert QueueTrigger(batch_size=5, name="incoming") == QUEUE
        assert replace(QUEUE, batch_size=6) != QUEUE
        assert len({QUEUE, QueueTrigger(name="incoming", batch_size=5)}) == 1
        another: object = Throttle(rate_per_s=1, burst=1)
        assert another != QUEUE

    def test_is_never_changed(self):
        with pytest.raises(FrozenInstanceError, match="cannot assign to batch_size"):
            QUEUE.batch_size = 6  # type: ignore[misc]

    def test_is_what_dataclasses_know(self):
        assert asdict(Throttle(rate_per_s=1, burst=2)) == {"rate_per_s": 1, "burst": 2}
        assert repr(Throttle(rate_per_s=1, burst=2)) == "Throttle(rate_per_s=1, burst=2)"

    def test_is_the_same_after_it_was_pickled(self):
        assert pickle.loads(pickle.dumps(QUEUE)) == QUEUE
        assert pickle.loads(pickle.dumps(Options())) == Options()

    def test_has_mappings_of_its_own(self):
        assert Options().tags is not Options().tags

    def test_takes_what_it_needs_and_nothing_else(self):
        with pytest.raises(TypeError, match="Throttle without burst"):
            Throttle(rate_per_s=1)  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="Throttle has no bust"):
            Throttle(rate_per_s=1, burst=1, bust=2)  # type: ignore[call-arg]

    def test_refuses_keys_that_contradict_each_other_wherever_it_is_made(self):
        with pytest.raises(ValueError, match="expected scopes only with an authorizer that reads tokens"):
            HttpTrigger(route="GET /", scopes=("x",))
        with pytest.raises(ValueError, match="a wildcard needs a reason"):
            replace(Permission(actions=("s3:GetObject",), resources=("arn:aws:s3:::x/y",)), resources=("*",))


def test_an_unchanged_build_is_told_without_importing_the_tables():
    probe = "import sys, build.report, build.verbs.building; print({'build.model', 'build.options'} & {*sys.modules})"
    root = Path(__file__).resolve().parents[2]
    assert process.run([sys.executable, "-c", probe], cwd=root).stdout.strip() == "set()"


def test_importing_the_tables_imports_neither_pydantic_nor_time_zones():
    probe = "import sys, build.triggers, build.options; print({'pydantic', 'zoneinfo'} & {*sys.modules})"
    root = Path(__file__).resolve().parents[2]
    assert process.run([sys.executable, "-c", probe], cwd=root).stdout.strip() == "set()"
