"""All that moto's services hold, as bytes, and back: the pickle of `build.local.keeping`.

Shared objects stay shared, across services, too. What is large (`LARGE_BYTES`) is left out and told apart, so that it
need not be written each time.
"""

import copy
import copyreg
import gc
import io
import marshal
import operator
import pickle
import sys
import threading
import types
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

LARGE_BYTES = 1 << 16
_PROTOCOL = 5
_UNINTERRUPTED_S = 5.0
_LOCKS: dict[type, Callable[[], Any]] = {
    type(threading.Lock()): threading.Lock,
    type(threading.RLock()): threading.RLock,
    threading.Condition: threading.Condition,
    threading.Event: threading.Event,
}
"""Whoever held one is gone when it comes back."""

_Reducer = Callable[[Any], Any]
"""As an object's ``__reduce__``."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What moto held at one moment."""

    pickled: bytes
    large: list[Any] = field(default_factory=list)
    """Bytes, texts, and S3's keys, whose `content_of` was left out."""


def take(ours: Mapping[str, Callable[[], Any]]) -> Taken:
    """Return what all of moto's backends hold now, and what ``ours`` return.

    No other thread runs meanwhile, so that it is of one moment.
    """
    from moto.core.base_backend import BackendDict

    target = io.BytesIO()
    pickler = _Pickler(target)
    with _alone():
        held = [_held(services) for services in list(BackendDict._instances)]  # noqa: SLF001
        pickler.dump((held, {name: each() for name, each in ours.items()}))
    return Taken(target.getvalue(), pickler.large)


def put(pickled: bytes, content: Callable[[int], bytes]) -> dict[str, Any]:
    """Let moto hold what `take` returned, and return what was ours.

    ``content`` gives the bytes of what was large, by its place.
    Raises whatever a pickle can raise that is of another moto or Python; then nothing was changed.
    """
    unpickler = _Unpickler(io.BytesIO(pickled))
    unpickler.content = content
    held, ours = unpickler.load()
    for services, attributes, accounts in held:
        services.__dict__.update(attributes)
        for account_id, backends in accounts.items():
            for region, backend in backends.items():
                services[account_id][region] = backend
    return dict(ours)


def content_of(large: Any) -> bytes:
    """Return the bytes of what was left out."""
    if isinstance(large, str):
        return large.encode()
    return large if isinstance(large, bytes) else bytes(large.value)


@contextmanager
def _alone() -> Iterator[None]:
    """Keep other threads of Python out: none asks for its turn before the time is up. Nor is there any other delay."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_UNINTERRUPTED_S)
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        sys.setswitchinterval(before)


def _held(services: Any) -> tuple[Any, dict[str, Any], dict[str, dict[str, Any]]]:
    """Return a service of moto, what it has besides backends, and these by account and region."""
    common = {"backend", "service_name", "_use_boto3_regions", "_additional_regions", "_id"}
    attributes = {name: value for name, value in vars(services).items() if name not in common}
    return services, attributes, {account_id: dict(backends) for account_id, backends in services.items()}


class _Content:
    """The content of a key, in its place."""

    def __init__(self, key: Any) -> None:
        self.key = key


class _Pickler(pickle.Pickler):
    def __init__(self, target: io.BytesIO) -> None:
        super().__init__(target, _PROTOCOL)
        self.large: list[Any] = []
        self._places: dict[int, int] = {}
        self._reducers: dict[type, _Reducer] = {}

    def persistent_id(self, value: Any) -> tuple[int, bool] | None:
        kind = type(value)
        if kind is _Content:
            return self._place(value.key), False
        if (kind is bytes or kind is str) and len(value) >= LARGE_BYTES:
            return self._place(value), kind is str
        return None

    def reducer_override(self, value: Any) -> Any:
        kind = type(value)
        if kind not in self._reducers:
            self._reducers[kind] = _reducer_of(kind)
        return self._reducers[kind](value)

    def _place(self, value: Any) -> int:
        if id(value) not in self._places:
            self._places[id(value)] = len(self.large)
            self.large.append(value)
        return self._places[id(value)]


class _Unpickler(pickle.Unpickler):
    content: Callable[[int], bytes]

    def persistent_load(self, told: tuple[int, bool]) -> bytes | str:
        place, is_text = told
        content = self.content(place)
        return content.decode() if is_text else content


def _reducer_of(kind: type) -> _Reducer:
    """Return what tells how to make objects of ``kind`` anew; NotImplemented leaves it to pickle."""
    from moto.core.base_backend import AccountSpecificBackend, BackendDict
    from moto.s3.models import FakeKey

    special: dict[type, _Reducer] = {
        BackendDict: _services,
        AccountSpecificBackend: _backends,
        FakeKey: _key,
        weakref.ref: lambda value: (_reference, (value(),)),
        weakref.WeakValueDictionary: lambda value: (kind, (), None, None, iter(list(value.items()))),
        types.FunctionType: _function,
        **{lock: lambda _, make=make: (make, ()) for lock, make in _LOCKS.items()},  # type: ignore[misc]
    }
    of_moto = kind.__module__.startswith("moto.")
    if of_moto:
        special[defaultdict] = _defaults
    if of_moto and kind.__name__ == "AWSManagedPolicy":
        return _policy
    found = next((reducer for base, reducer in special.items() if issubclass(kind, base)), None)
    if found is None and (of_moto or issubclass(kind, type) or kind in copyreg.dispatch_table):
        return lambda _: NotImplemented
    return found or _anything


def _anything(value: Any) -> Any:
    try:
        return value.__reduce_ex__(_PROTOCOL)
    except TypeError:  # a thread, a connection, a generator: what it was about is over when it comes back
        return type(None), ()


def _services(value: Any) -> Any:
    module = value.backend.__module__
    return _global, (module, next(name for name, each in vars(sys.modules[module]).items() if each is value))


def _backends(value: Any) -> Any:
    from moto.core.base_backend import BackendDict

    services = next(each for each in BackendDict._instances if each.get(value.account_id) is value)  # noqa: SLF001
    return operator.getitem, (services, value.account_id)


def _key(key: Any) -> Any:
    if key.contentsize < LARGE_BYTES:
        return NotImplemented
    state = {name: each for name, each in vars(key).items() if name not in {"_value_buffer", "lock"}}
    return _new, (type(key),), {**state, "value": _Content(key)}


def _defaults(value: Any) -> Any:
    """Leave out the class: pickle would call it, and nobody knows its arguments."""
    state = (vars(value), {"default_factory": value.default_factory})
    return _new, (type(value),), state, None, iter(dict.items(value))


def _policy(policy: Any) -> Any:
    """Leave out the texts: AWS has 1,200 such policies in each partition, and moto brings them along."""
    state = {"id": policy.id, "attachment_count": policy.attachment_count, "tags": policy.tags}
    return _managed_policy, (policy.account_id, policy.partition, policy.arn), state


def _function(function: Any) -> Any:
    """Take along the code of what has no name to be found by, such as the lambda of a defaultdict."""
    if "<" not in function.__qualname__:
        return NotImplemented
    closure = tuple(cell.cell_contents for cell in function.__closure__ or ())
    return _made, (function.__module__, marshal.dumps(function.__code__), function.__defaults__, closure)


def _new(kind: Any) -> Any:
    return kind.__new__(kind)


def _made(module: str, code: bytes, defaults: Any, closure: tuple[Any, ...]) -> Any:
    cells = tuple(map(types.CellType, closure))
    namespace = vars(import_module(module))
    return types.FunctionType(marshal.loads(code), namespace, None, defaults, cells)  # noqa: S302 - we wrote it


def _managed_policy(account_id: str, partition: str, arn: str) -> Any:
    from moto.iam.models import iam_backends

    return copy.copy(iam_backends[account_id][partition].managed_policies[arn])


def _reference(value: Any) -> Any:
    return weakref.ref(value) if value is not None else type(None)


def _global(module: str, name: str) -> Any:
    return getattr(import_module(module), name)
