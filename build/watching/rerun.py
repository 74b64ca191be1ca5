"""The last event of a function, once more, as soon as it runs what was saved."""

from collections.abc import Callable

from build.model import FunctionSpec, Workspace
from build.release.calls import call, read_event
from build.watching.session import Change, Target
from build.watching.words import answered


class Rerun:
    """Invokes functions again, and tells how their answers differ from those before."""

    def __init__(self, target: Target, event: tuple[str, bytes] | None, say: Callable[[str], None]) -> None:
        """``event`` has a name; None is what each function was invoked with last, or its first sample event."""
        self._target = target
        self._event = event
        self._say = say
        self._answers: dict[str, str] = {}

    def __call__(self, change: Change) -> None:
        """Invoke the function that was changed."""
        spec, workspace = change.spec, change.workspace
        event, client = self._chosen(workspace, spec), self._target.invoker(workspace)
        answer = call(spec.name, workspace.function_name(spec.name), event, client)
        self._say(answered(spec.identity, answer, self._answers.get(spec.name)))
        self._answers[spec.name] = answer.payload

    def _chosen(self, workspace: Workspace, spec: FunctionSpec) -> tuple[str, bytes]:
        last = None if self._event else self._target.last_event(workspace, spec)
        return self._event or (("its last event", last) if last is not None else read_event(spec, None))
