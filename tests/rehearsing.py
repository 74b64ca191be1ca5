"""Run the jobs of workflow files here: their own steps, in their order, on one clone instead of one machine each.

What GitHub itself does is done in its place, as far as our workflows use it: expressions, matrices, the actions named
in `_Job.action`. Anything else ends in a ValueError: a rehearsal that guesses proves nothing.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from glob import has_magic
from itertools import product
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from tests.expressions import filled, holds, text_of

_OWN = "$/.github/"
_KEPT = {"bin", "local"}
"""Below .artifacts/: programs, and the embedded cloud, which stands for an account."""
_CLOUD = {"cloud.json", "cloud.lock", "cloud.log", "image-layers", "images", "lock", "opt", "roots", "runtime", "tasks"}
_CLOUD |= {"terraform", "tmp"}
"""Below .artifacts/local/: what is the cloud's, and what `terraform init` downloads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What came of a job."""

    result: str
    outputs: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a workflow."""

    root: Path
    github: Mapping[str, Any]
    variables: Mapping[str, str]
    environ: Mapping[str, str]
    """Of every step, as the machine has it."""
    scratch: Path
    stand_ins: Mapping[str, str]
    """What stands for the name of an env: ``{"prod": "local"}``."""
    commands: list[str] = field(default_factory=list)
    """``job: line`` of everything that was run, and who took which role."""
    printed: list[str] = field(default_factory=list)
    summaries: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """What failed, with what it printed."""

    def workflow(
        self, name: str, *, inputs: Mapping[str, Any] | None = None, skip: Sequence[str] = ()
    ) -> dict[str, Ran]:
        """Run every job of a workflow file whose condition holds; those in ``skip`` count as done well."""
        content = self._content(f"workflows/{name}")
        done = {job: Ran(result="success", outputs={}) for job in skip}
        waiting = {job: told for job, told in content["jobs"].items() if job not in done}
        while waiting:
            job = next(job for job, told in waiting.items() if set(told.get("needs", [])) <= set(done))
            done[job] = self._job(job, waiting.pop(job), content, done, dict(inputs or {}))
        return done

    def _job(
        self,
        name: str,
        told: dict[str, Any],
        content: Mapping[Any, Any],
        done: Mapping[str, Ran],
        inputs: dict[str, Any],
    ) -> Ran:
        needs = {need: done[need] for need in told.get("needs", [])}
        status = "success" if all(need.result == "success" for need in needs.values()) else "failure"
        context: dict[str, Any] = {
            "github": self.github,
            "vars": self.variables,
            "inputs": inputs,
            "needs": {need: {"result": ran.result, "outputs": ran.outputs} for need, ran in needs.items()},
        }
        if not holds(told.get("if"), context, status):
            return Ran(result="skipped", outputs={})
        if "uses" in told:
            given = {key: self._stand_in(value) for key, value in filled(told["with"], context).items()}
            inner = self.workflow(told["uses"].removeprefix(f"{_OWN}workflows/"), inputs=given)
            return Ran(result=_result(inner.values()), outputs={})
        context["env"] = filled(content.get("env", {}), context)
        ran = []
        for number, matrix in enumerate(_matrix(filled(told.get("strategy", {}).get("matrix"), context))):
            own = {**context, "matrix": matrix, "strategy": {"job-index": number}}
            ran.append(_Job(run=self, name=name, told=told, context=own).to_the_end())
        outputs = {key: self._outputs(value) for each in ran for key, value in each.outputs.items()}
        return Ran(result=_result(ran), outputs=outputs)

    def _content(self, path: str) -> dict[Any, Any]:
        content: dict[Any, Any] = yaml.safe_load((self.root / ".github" / path).read_text("utf-8"))
        return content

    def _stand_in(self, value: Any) -> Any:
        return self.stand_ins.get(value, value) if isinstance(value, str) else value

    def _outputs(self, text: str) -> str:
        """Return an output with the names of envs replaced, and what is the same by then only once."""
        if not text.startswith(("[", "{")):
            return text
        value = json.loads(text)
        if isinstance(value, list):
            value = list(dict.fromkeys(map(self._stand_in, value)))
        else:
            jobs = [{key: self._stand_in(each) for key, each in job.items()} for job in value["include"]]
            value = {"include": [job for number, job in enumerate(jobs) if job not in jobs[:number]]}
        return json.dumps(value, separators=(",", ":"))


@dataclass(slots=True, kw_only=True)
class _Job:
    run: Run
    name: str
    told: Mapping[str, Any]
    context: dict[str, Any]
    status: str = "success"

    def to_the_end(self) -> Ran:
        self.context["steps"] = {}
        self.context["runner"] = {"os": "Linux", "arch": "X64"}
        self.context["env"] = {**self.context["env"], **filled(self.told.get("env", {}), self.context)}
        for step in self.told["steps"]:
            self.step(step, self.context)
        outputs = filled(self.told.get("outputs", {}), self.context)
        return Ran(result=self.status, outputs={key: value or "" for key, value in outputs.items()})

    def step(self, step: Mapping[str, Any], context: dict[str, Any]) -> None:
        if not holds(step.get("if"), context, self.status):
            return
        if "run" in step:
            outputs = self.command(step["run"], {**context["env"], **filled(step.get("env", {}), context)})
        else:
            given = filled(step.get("with", {}), context)
            outputs = self.action(step["uses"].partition("@")[0], given)
        if "id" in step:
            context["steps"][step["id"]] = {"outputs": outputs}

    def command(self, line: str, variables: Mapping[str, Any]) -> dict[str, str]:
        """Run a line as GitHub does; return the outputs it wrote."""
        files = {name: self.run.scratch / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
        for path in files.values():
            path.write_bytes(b"")
        script = self.run.scratch / "step.sh"
        script.write_text(line, "utf-8")
        done = subprocess.run(
            ["bash", "-e", script],
            cwd=self.run.root,
            env={**self.run.environ, **{name: text_of(value) for name, value in {**variables, **files}.items()}},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        self.run.commands.append(f"{self.name}: {line}")
        self.run.printed.append(done.stdout)
        if summary := files["GITHUB_STEP_SUMMARY"].read_text("utf-8"):
            self.run.summaries.append(summary)
        if done.returncode:
            self.fail(f"{line}\n{done.stdout}")
        return dict(each.split("=", 1) for each in files["GITHUB_OUTPUT"].read_text("utf-8").splitlines())

    def fail(self, why: str) -> None:
        self.status = "failure"
        self.run.failures.append(f"{self.name}: {why}")

    def action(self, name: str, given: Mapping[str, Any]) -> dict[str, str]:
        match name:
            case "actions/checkout":
                self.check_out(given.get("ref") or self.run.github["sha"])
            case "actions/setup-python":
                return {"python-version": given["python-version"]}
            case "actions/cache/restore":
                return {"cache-hit": "", "cache-primary-key": given["key"]}
            case "aws-actions/configure-aws-credentials":
                self.run.commands.append(f"{self.name}: took {given['role-to-assume']}")
            case "actions/upload-artifact":
                self.upload(given)
            case "actions/download-artifact":
                self.download(given)
            case _ if name.startswith(f"{_OWN}actions/"):
                self.composite(name.removeprefix(_OWN), given)
            case _:
                raise ValueError(f"not a known action: {name}")
        return {}

    def composite(self, path: str, given: Mapping[str, Any]) -> None:
        content = self.run._content(f"{path}/action.yml")
        inputs = {name: given.get(name, told.get("default", "")) for name, told in content["inputs"].items()}
        context = {"inputs": inputs, "steps": {}, "env": self.context["env"], "runner": self.context["runner"]}
        for step in content["runs"]["steps"]:
            self.step(step, context)

    def check_out(self, ref: str) -> None:
        """Make the clone what a fresh one would be."""
        subprocess.run(["git", "checkout", "-q", "--force", "--detach", ref], cwd=self.run.root, check=True)
        generated = self.run.root / ".artifacts"
        for folder, kept in ((generated, _KEPT), (generated / "local", _CLOUD)):
            for path in folder.iterdir():
                if path.name not in kept:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    def upload(self, given: Mapping[str, Any]) -> None:
        """Keep files below what the patterns have in common; up to the first one with an asterisk."""
        target = self.run.scratch / "artifacts" / given["name"]
        target.mkdir(parents=True)
        patterns = [self.run.root / line for line in given["path"].split()]
        starts = [Path(*_before_magic(pattern.parts)) for pattern in patterns]
        alone = len(patterns) == 1 and patterns[0].is_file()
        top = starts[0].parent if alone else Path(os.path.commonpath(starts))
        hidden = any(part.startswith(".") for part in top.relative_to(self.run.root).parts)
        if hidden and not given["include-hidden-files"]:
            raise ValueError(f"hidden, so it would not be kept: {top}")
        found = [path for pattern in patterns for path in _files(pattern, self.run.root)]
        if not found and given.get("if-no-files-found") == "error":
            self.fail(f"nothing to keep at {given['path']}")
        for path in found:
            place = target / path.relative_to(top)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)

    def download(self, given: Mapping[str, Any]) -> None:
        names = sorted(path.name for path in (self.run.scratch / "artifacts").glob("*"))
        wanted = [name for name in names if fnmatch(name, given.get("pattern", given.get("name", "*")))]
        if "name" in given and not wanted:
            self.fail(f"nothing was kept as {given['name']}")
        for name in wanted:
            alone = len(wanted) == 1 or given.get("merge-multiple")
            place = self.run.root / given["path"] / ("" if alone else name)
            source = self.run.scratch / "artifacts" / name
            shutil.copytree(source, place, dirs_exist_ok=True, copy_function=shutil.copyfile)


def _result(ran: Iterable[Ran]) -> str:
    return "success" if all(each.result == "success" for each in ran) else "failure"


def _matrix(told: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Yield what each job of a matrix gets: either every combination, or what is included."""
    if told is not None and "include" in told:
        if len(told) > 1:
            raise ValueError("combinations with include are not known here")
        yield from told["include"]
        return
    values = told or {}
    for combination in product(*values.values()):
        yield dict(zip(values, combination, strict=True))


def _before_magic(parts: Sequence[str]) -> Iterator[str]:
    for part in parts:
        if has_magic(part):
            return
        yield part


def _files(pattern: Path, root: Path) -> list[Path]:
    found = root.glob(pattern.relative_to(root).as_posix())
    return [file for path in found for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file()]
