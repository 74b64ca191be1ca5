"""Source is parsed from any thread."""

import gc
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from build.syntax import parsed

SOURCE = "\n".join(f"def f{n}(a, b=[{n}, (1, 2)]): return {{'k': [a, b, -{n}]}}" for n in range(150)).encode()


@pytest.fixture
def restless():
    """A garbage collector that runs often, and Python code whenever it does: threads are switched within a parse."""
    before = gc.get_threshold()

    def switch(*_: object) -> None:
        time.sleep(0)

    gc.callbacks.append(switch)
    gc.set_threshold(50)
    yield
    gc.set_threshold(*before)
    gc.callbacks.remove(switch)


def test_threads_parse_beside_each_other_whatever_the_garbage_collector_does(restless):
    with ThreadPoolExecutor(4) as pool:
        trees = list(pool.map(parsed, [SOURCE] * 20))
    assert {len(tree.body) for tree in trees} == {150}


def test_what_is_no_python_is_told():
    with pytest.raises(SyntaxError):
        parsed(b"def :")
