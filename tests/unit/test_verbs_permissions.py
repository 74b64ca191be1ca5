"""`permissions`, as a person and as a program see it."""

import json
from pathlib import Path

import pytest

from build.errors import FindingsError, InputError
from build.verbs.permissions import permissions
from tests.builders import write_files

GRANT = (
    '[[permissions]]\nactions = ["ssm:GetParameter", "ssm:PutParameter"]\nresources = ["arn:aws:ssm:*:*:parameter/x"]\n'
)


@pytest.fixture
def root(tmp_path):
    return write_files(
        tmp_path,
        {
            "slipway.toml": 'name = "shop"\n[defaults]\nruntime = "python3.13"\n',
            "functions/orders/function.toml": f'description = "x"\n{GRANT}',
            "functions/orders/src/app.py": "import boto3\nboto3.client('ssm').get_parameter()\n",
            "functions/stock/function.toml": 'description = "x"\n',
            "functions/stock/src/app.py": "import boto3\ndef handler(e, c, client): client.get_item()\n",
        },
    )


def test_what_is_granted_never_called_and_unclear_is_shown_and_is_no_error(root, capsys):
    permissions(root, "local", "", as_json=False)
    said = capsys.readouterr()
    rows = [" ".join(line.split()) for line in said.out.splitlines()[2:]]
    assert rows == [
        "orders ssm:GetParameter granted by ssm:GetParameter functions/orders/src/app.py:2",
        "orders ssm:PutParameter never called functions/orders/function.toml",
        "stock cannot tell what `client` is in `client.get_item` functions/stock/src/app.py:2",
    ]
    assert "never called is a hint only: distributions may call it" in said.err


def test_json_is_for_programs_and_complete_even_where_something_is_missing(root, capsys):
    write_files(root, {"functions/stock/src/app.py": "import boto3\nboto3.client('sns').publish()\n"})
    with pytest.raises(FindingsError):
        permissions(root, "local", "stock", as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "env": "local",
        "functions": {
            "stock": {
                "called": [
                    {"actions": ["sns:Publish"], "places": ["functions/stock/src/app.py:2"], "granted_by": None}
                ],
                "never_called": [],
                "cannot_tell": [],
            }
        },
    }


def test_what_is_missing_is_an_error_that_ends_with_the_lines_to_add(root):
    write_files(root, {"functions/stock/src/app.py": "import boto3\nboto3.client('sns').publish()\n"})
    with pytest.raises(FindingsError) as caught:
        permissions(root, "local", "", as_json=False)
    assert caught.value.facts == (
        "functions/stock: expected sns:Publish for functions/stock/src/app.py:2, got no grant",
    )
    assert caught.value.hint.startswith("run `invoke permissions --env local` again")
    assert '# functions/stock/function.toml\n[[permissions]]\nactions   = ["sns:Publish"]\n' in caught.value.hint


def test_a_function_that_is_not_there_is_wrong_input(root):
    with pytest.raises(InputError, match="did you mean `orders`"):
        permissions(root, "local", "ordres", as_json=False)


def test_functions_without_calls_and_grants_are_told_of(root, capsys):
    Path(root, "functions/orders/function.toml").write_text('description = "x"\n', encoding="utf-8")
    write_files(root, {"functions/orders/src/app.py": ""})
    permissions(root, "local", "orders", as_json=False)
    assert capsys.readouterr().err == "nothing is called and nothing is granted\n"
