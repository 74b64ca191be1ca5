import pytest

from build.errors import InputError
from build.model import RemoteStore
from build.project.discovery import discover, discover_all
from tests.builders import write_files


def repository(root, store):
    env = 'region = "eu-central-1"\naccount_id = "123456789012"'
    return write_files(root, {"slipway.toml": f'name = "shop"\n{store}\n[env.dev]\n{env}\n'})


def test_a_repository_has_no_remote_store_unless_it_names_one(tmp_path):
    assert discover(repository(tmp_path, ""), "local").remote_store is None


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('remote = "s3://team"', RemoteStore(bucket="team", prefix="", account_id=None)),
        ('remote = "s3://team/a/b.c"', RemoteStore(bucket="team", prefix="a/b.c", account_id=None)),
        (
            'remote = "s3://team"\naccount_id = "123456789012"',
            RemoteStore(bucket="team", prefix="", account_id="123456789012"),
        ),
    ],
)
def test_every_env_has_the_same_remote_store(tmp_path, table, expected):
    workspaces = discover_all(repository(tmp_path, f"[store]\n{table}"))
    assert [workspace.remote_store for workspace in workspaces] == [expected, expected]


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ('remote = "team"', 'expected "s3://bucket" or "s3://bucket/prefix"'),
        ('remote = "https://team"', 'expected "s3://bucket" or "s3://bucket/prefix"'),
        ('remote = "s3://team/"', "without a slash at its end"),
        ('remote = "s3://team/a//b"', "without a slash at its end"),
        ('remote = "s3://Team"', "characters of a-z, 0-9, hyphens and dots"),
        ('remote = "s3://team"\naccount_id = "12"', "store.account_id"),
        ('account_id = "123456789012"', "store.remote"),
        ('remote = "s3://team"\nbucket = "x"', "store.bucket"),
    ],
)
def test_what_is_no_address_of_a_bucket_is_refused(tmp_path, table, problem):
    with pytest.raises(InputError) as caught:
        discover(repository(tmp_path, f"[store]\n{table}"), "local")
    assert problem in "\n".join(caught.value.facts)
