"""What docs/how-to/see-what-is-inside.md shows is what the verbs print."""

import platform
import re
import shutil
import subprocess

import pytest

from tests.builders import lock_line, make_wheel
from tests.checkout import ROOT, Checkout, make_checkout

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs/how-to/see-what-is-inside.md").read_text("utf-8")
SHOWN = dict(re.findall(r"```console\n\$ \./invokew ([^\n]+)\n(.*?)```", PAGE, re.DOTALL))
COMMANDS = re.findall(r"\./invokew ([^`\n]+)", PAGE)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """Our own example, with small wheels of the page's names and versions; and the files that the page names."""
    index = tmp_path_factory.mktemp("index")
    (why,) = (text for command, text in SHOWN.items() if command.startswith("why"))
    pandas, dateutil, six = (re.findall(rf"{name} (\d\S+)", why)[0] for name in ("pandas", "python-dateutil", "six"))
    wheels = [
        make_wheel(index, "pandas", pandas, requires=["numpy", "python-dateutil>=2.9.0"]),
        make_wheel(index, "python-dateutil", dateutil, requires=["six>=1.5"]),
        make_wheel(index, "six", six),
        make_wheel(
            index,
            "numpy",
            "2.0",
            files={"numpy/__init__.py": "", "numpy.libs/a.so": b"\0" * 2_000_000, "numpy/tests/a.py": "1"},
        ),
    ]
    environ = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index), "PIP_CONFIG_FILE": "/dev/null"}
    checkout = Checkout(make_checkout(tmp_path_factory.mktemp("shop")).root, environ)
    for place in ("layers/data/layer.toml", "layers/data/requirements.in", "functions/dataframe/requirements.in"):
        checkout.write(place, (ROOT / place).read_text("utf-8"))
    for place in ("layers/data", "functions/dataframe"):
        checkout.write(f"{place}/requirements.txt", "".join(map(lock_line, wheels)))
    checkout.write("functions/dataframe/function.toml", 'description = "Mean"\nlayers = ["data"]\n')
    checkout.write("functions/orders/function.toml", 'description = "Orders"\n')
    for name in ("dataframe", "orders"):
        checkout.write(f"functions/{name}/src/app.py", "def handler(event, context):\n    return 1\n")
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.invalid"]
        subprocess.run(["git", *identity, *words], cwd=checkout.root, check=True, capture_output=True)
    checkout.run("build")
    for name in ("old", "orders", "new"):
        shutil.copy(checkout.root / ".artifacts/build/functions/orders.zip", checkout.root / f"{name}.zip")
    checkout.write("functions/orders/src/app.py", "def handler(event, context):\n    return 2\n")
    checkout.run("build")
    return checkout


@pytest.mark.parametrize("command", dict.fromkeys(COMMANDS))
def test_every_command_on_the_page_runs(shop, command):
    shop.run(*command.split())


def test_why_prints_what_the_page_shows(shop):
    (command,) = (command for command in SHOWN if command.startswith("why"))
    here = {"aarch64": "arm64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    assert shop.run(*command.split()).stdout == SHOWN[command].replace("on x86_64", f"on {here}")


def shape(line):
    """Return ``line`` without its numbers."""
    for found, sign in ((r"\b(B|kB|MB)\b", "MB"), (r"[█░]+", "█"), (r"\d[\d.]*", "#"), (r"\s+", " ")):
        line = re.sub(found, sign, line)
    return line.strip()


def test_size_prints_rows_as_the_page_shows_them(shop):
    (command,) = (command for command in SHOWN if command.startswith("size"))
    said = shop.run(*command.split()).stdout.splitlines()[1:]
    rows, (_, left_out) = SHOWN[command].splitlines()[:5], SHOWN[command].splitlines()[5:]
    assert [shape(line) for line in said[:2]] == [shape(line) for line in rows[:2]]
    assert [shape(line).partition(" # MB")[0] for line in said[2:5]] == [
        shape(r).partition(" # MB")[0] for r in rows[2:]
    ]
    assert said[-1].partition(" ")[0] == left_out.partition(" ")[0]


def test_verify_says_what_the_page_shows(shop):
    assert re.sub(r"\d+", "7", shop.run("verify").stderr.splitlines()[-1]) == SHOWN["verify"].strip()


def test_bills_are_where_the_page_says(shop):
    places = re.findall(r"`(\.artifacts/sbom/\S+)`", PAGE)
    assert len(places) == 2
    for place in places:
        assert list(shop.root.glob(place.replace("NAME", "*")))
