import http.server
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from build.digest import Digest
from build.errors import ToolError
from build.infra import binary
from build.infra.binary import PINNED, fetch, terraform_binary
from build.process import Completed


def release(text: bytes = b"#!/bin/sh\n") -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("LICENSE.txt", "words")
        archive.writestr("terraform", text)
    return buffer.getvalue()


@contextmanager
def serving(data: bytes, *, promised: int | None = None) -> Iterator[str]:
    """A release site that answers every path with ``data``, having promised so many bytes."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(data) if promised is None else promised))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


class Asked:
    """A runner that answers `terraform version` and counts how often it was asked."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.times = 0
        self.env: dict[str, str] = {}

    def __call__(self, argv, *, env=None, **_):
        self.times += 1
        self.env = env
        return Completed(argv=tuple(argv), code=0, stdout=json.dumps({"terraform_version": self.version}), stderr="")


@pytest.fixture
def on_path(tmp_path: Path) -> Path:
    path = tmp_path / "path" / "terraform"
    path.parent.mkdir()
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def everything_in(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*"))


def test_a_new_enough_terraform_on_path_is_taken(tmp_path, on_path):
    assert terraform_binary(tmp_path, {"PATH": str(on_path.parent)}, runner=Asked("1.10.0")) == on_path


def test_the_version_is_asked_once_until_the_file_changes(tmp_path, on_path):
    asked = Asked("1.12.3")
    for _ in range(3):
        terraform_binary(tmp_path, {"PATH": str(on_path.parent)}, runner=asked)
    assert asked.times == 1
    on_path.write_text("#!/bin/sh\n# another\n")
    terraform_binary(tmp_path, {"PATH": str(on_path.parent)}, runner=asked)
    assert asked.times == 2


def test_a_broken_cache_of_versions_is_made_anew(tmp_path, on_path):
    cache = tmp_path / ".artifacts" / "bin" / "versions.json"
    cache.parent.mkdir(parents=True)
    cache.write_text('{"half')
    assert terraform_binary(tmp_path, {"PATH": str(on_path.parent)}, runner=Asked("1.11.0")) == on_path


def test_a_cli_configuration_that_does_not_exist_is_kept_from_the_version_probe(tmp_path, on_path):
    asked = Asked("1.11.0")
    terraform_binary(tmp_path, {"PATH": str(on_path.parent), "TF_CLI_CONFIG_FILE": "/nowhere/rc"}, runner=asked)
    assert "TF_CLI_CONFIG_FILE" not in asked.env


@pytest.mark.parametrize("version", ["1.9.8", "0.15.5", "no version at all"])
def test_an_old_terraform_on_path_is_passed_over_for_the_pinned_one(tmp_path, on_path, monkeypatch, version):
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    data = release()
    monkeypatch.setitem(binary._DIGESTS, "linux_arm64", Digest.of_bytes(data).hex)
    with serving(data) as site:
        environ = {"PATH": str(on_path.parent), "SLIPWAY_TERRAFORM_RELEASES": site}
        found = terraform_binary(tmp_path, environ, runner=Asked(version))
    assert found == tmp_path / ".artifacts" / "bin" / f"terraform-{PINNED}"
    assert terraform_binary(tmp_path, environ, runner=Asked(version)) == found  # the site is gone: nothing is fetched


def test_without_terraform_on_a_machine_without_a_release_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("platform.system", lambda: "FreeBSD")
    with pytest.raises(ToolError, match="no release of it is pinned for freebsd_") as raised:
        terraform_binary(tmp_path, {"PATH": ""})
    assert "Terraform >= 1.10 on PATH" in raised.value.hint


def test_a_fetched_release_is_executable_and_alone(tmp_path):
    data = release(b"binary")
    with serving(data) as site:
        fetch(f"{site}/terraform.zip", Digest.of_bytes(data), tmp_path / "bin" / "terraform")
    assert (tmp_path / "bin" / "terraform").read_bytes() == b"binary"
    assert (tmp_path / "bin" / "terraform").stat().st_mode & 0o777 == 0o755
    assert everything_in(tmp_path / "bin") == ["terraform"]


def test_bytes_of_another_digest_are_refused_and_nothing_stays(tmp_path):
    pinned, evil = release(), release(b"evil")
    with serving(evil) as site, pytest.raises(ToolError) as raised:
        fetch(f"{site}/terraform.zip", Digest.of_bytes(pinned), tmp_path / "bin" / "terraform")
    assert raised.value.facts == (f"expected: {Digest.of_bytes(pinned)}", f"got: {Digest.of_bytes(evil)}")
    assert everything_in(tmp_path / "bin") == []


def test_an_interrupted_download_is_told_from_a_wrong_one_and_nothing_stays(tmp_path):
    data = release()
    with serving(data[:50], promised=len(data)) as site, pytest.raises(ToolError, match="bytes too early"):
        fetch(f"{site}/terraform.zip", Digest.of_bytes(data), tmp_path / "bin" / "terraform")
    assert everything_in(tmp_path / "bin") == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/terraform.zip", "nonsense"])
def test_without_a_network_the_error_names_the_address_and_the_way_out(tmp_path, url):
    with pytest.raises(ToolError, match="cannot fetch Terraform") as raised:
        fetch(url, Digest.of_bytes(b""), tmp_path / "bin" / "terraform")
    assert raised.value.facts == (f"from: {url}",)
    assert raised.value.hint.endswith("`invoke doctor`")
    assert everything_in(tmp_path / "bin") == []
