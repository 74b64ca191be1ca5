"""What to compare a build with: which artifacts the last builds of an env made, and the checkout of a revision."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from build import process
from build.digest import Digest
from build.errors import InputError
from build.model import Build, Workspace

Record = Mapping[str, Digest]
"""Digests by ``functions/NAME`` or ``layers/KEY``."""

_KEPT = 20
_SUBMODULE = "160000"
"""The mode of one in git's index."""


def record_of(build: Build) -> Record:
    """Return what is recorded of ``build``."""
    return {each.place: each.digest for each in build.artifacts}


def record(workspace: Workspace, build: Build) -> None:
    """Note ``build`` as the env's last one; one that made the same as the last adds nothing."""
    known, made = records(workspace), record_of(build)
    if known and known[-1] == made:
        return
    path = _path(workspace)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    rows = [{name: digest.hex for name, digest in each.items()} for each in (*known, made)[-_KEPT:]]
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix="builds")
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump(rows, stream)
    Path(draft).replace(path)


def records(workspace: Workspace) -> tuple[Record, ...]:
    """Return what was recorded for the env, the last one last; what cannot be read counts as nothing."""
    try:
        rows = json.loads(_path(workspace).read_bytes())
        return tuple({str(name): Digest.parse(hex_) for name, hex_ in row.items()} for row in rows)
    except (FileNotFoundError, ValueError, AttributeError, TypeError):
        return ()


@contextmanager
def revision(root: Path, name: str) -> Iterator[Path]:
    """Yield the checkout as it was at the git revision ``name``, with our store, so that little is built for it.

    It is a worktree in a temporary folder, gone afterwards. What of its submodules is checked out here is taken
    from there. Raises InputError if git knows no such revision, or a submodule's commit is not here.
    """
    git = ["git", "-c", f"core.hooksPath={os.devnull}"]
    commit = process.run([*git, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}"], cwd=root)
    if commit.code != 0:
        raise InputError(
            f"neither a file nor a revision: {name}",
            facts=["expected a zip, a commit, a branch or a tag"],
            hint="run `git log --oneline` to see commits, then `invoke diff --from COMMIT`",
        )
    top, below = process.run([*git, "rev-parse", "--show-toplevel", "--show-prefix"], cwd=root).stdout.split("\n")[:2]
    with tempfile.TemporaryDirectory(prefix="slipway-revision-") as folder:
        tree = Path(folder).resolve() / "tree"
        added = process.run([*git, "worktree", "add", "--detach", str(tree), commit.stdout.strip()], cwd=root)
        process.checked(added, doing=f"checking out {name}", hint="run `git worktree prune` and the same command again")
        try:
            _check_out_submodules(git, Path(top), tree)
            (tree / below / ".artifacts").symlink_to(root / ".artifacts", target_is_directory=True)
            yield tree / below
        finally:
            process.run([*git, "worktree", "remove", "--force", str(tree)], cwd=root)


def _check_out_submodules(git: Sequence[str], checkout: Path, tree: Path) -> None:
    """Fill the submodules of the worktree ``tree`` from those of ``checkout``, with theirs; ask no other machine."""
    listed = process.run([*git, "ls-files", "--stage", "-z"], cwd=tree).stdout
    for line in listed.split("\0"):
        about, _, path = line.partition("\t")
        if not about.startswith(_SUBMODULE) or not (checkout / path / ".git").exists():
            continue  # one that nobody needed here
        commit = about.split()[1]
        copy = [*git, "clone", "--quiet", "--shared", "--no-checkout", str(checkout / path), str(tree / path)]
        done = process.run(copy, cwd=tree)
        done = done if done.code else process.run([*git, "checkout", "--quiet", "--detach", commit], cwd=tree / path)
        if done.code:
            raise InputError(
                f"the submodule {path} cannot be checked out as it was",
                facts=[f"expected its commit {commit}", *done.stderr.splitlines()],
                hint=f"run `git -C {checkout / path} fetch origin {commit}`, then the same command again",
            )
        _check_out_submodules(git, checkout / path, tree / path)


def _path(workspace: Workspace) -> Path:
    return workspace.env_folder / "builds.json"
