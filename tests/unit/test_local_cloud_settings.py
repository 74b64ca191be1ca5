import json
import os
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from build.local import cloud, server
from build.local.cloud import Cloud
from build.model import Env

ENV = Env(name="local", region="us-east-1", account_id="123456789012", artifact_bucket="artifacts")


@pytest.fixture
def here(tmp_path):
    return Cloud(endpoint="http://127.0.0.1:4566", pid=1, log=tmp_path / "cloud.log")


def announce(root, **told):
    path = root / ".artifacts" / "local" / "cloud.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told))


def test_programs_are_led_to_the_cloud(here):
    variables = cloud.environ(here, ENV)
    assert variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:4566"
    assert variables["AWS_REGION"] == "us-east-1"
    assert variables["AWS_EC2_METADATA_DISABLED"] == "true"


def test_nothing_of_a_real_account_stays(here):
    mine = {"AWS_PROFILE": "prod", "AWS_SESSION_TOKEN": "x", "AWS_ENDPOINT_URL_S3": "https://s3", "PATH": "/bin"}
    assert cloud.foreign(mine) == {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"}
    got = cloud.isolated(mine, here, ENV)
    assert got["PATH"] == "/bin"
    assert not got.keys() & {"AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"}
    assert got["AWS_SHARED_CREDENTIALS_FILE"] == os.devnull


def test_a_proxy_is_not_asked_for_the_cloud(here):
    got = cloud.isolated({"HTTP_PROXY": "http://proxy", "no_proxy": "example.com"}, here, ENV)
    assert got["NO_PROXY"] == got["no_proxy"] == "example.com,127.0.0.1"


@pytest.mark.parametrize("forget", [Path.unlink, lambda path: path.write_text('{"nonce": "another"}')])
def test_a_cloud_whose_repository_is_gone_or_has_another_one_ends(tmp_path, forget):
    announcement = tmp_path / "cloud.json"
    announcement.write_text('{"nonce": "mine"}')
    watch = threading.Thread(target=server.wait_until_forgotten, args=(announcement, "mine"), kwargs={"every_s": 0.01})
    watch.start()
    watch.join(0.1)
    assert watch.is_alive()
    forget(announcement)
    watch.join(5)
    assert not watch.is_alive()


def test_no_cloud_was_ever_started(tmp_path):
    assert cloud.running(tmp_path) is None
    assert cloud.stop(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}', '{"pid": "x", "endpoint": "y", "nonce": "z"}'])
def test_a_broken_announcement_is_no_cloud(tmp_path, text):
    announce(tmp_path)
    (tmp_path / ".artifacts/local/cloud.json").write_text(text)
    assert cloud.running(tmp_path) is None


def test_a_process_that_is_gone_is_no_cloud(tmp_path):
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    announce(tmp_path, pid=child, endpoint="http://127.0.0.1:9", nonce="n")
    assert cloud.running(tmp_path) is None


def test_a_recycled_pid_whose_port_is_closed_is_no_cloud(tmp_path):
    announce(tmp_path, pid=os.getpid(), endpoint="http://127.0.0.1:9", nonce="n")
    assert cloud.running(tmp_path) is None


def test_another_server_on_its_port_is_no_cloud_and_is_not_ended(tmp_path):
    class Other(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"nonce": "another"}')

        def log_message(self, *_):
            pass

    other = HTTPServer(("127.0.0.1", 0), Other)
    threading.Thread(target=other.serve_forever, daemon=True).start()
    announce(tmp_path, pid=os.getpid(), endpoint=f"http://127.0.0.1:{other.server_address[1]}", nonce="n")
    try:
        assert cloud.running(tmp_path) is None
        assert cloud.stop(tmp_path) is None  # had it ended the process, nobody would be here to see it
        assert not (tmp_path / ".artifacts/local/cloud.json").exists()
    finally:
        other.shutdown()
        other.server_close()
