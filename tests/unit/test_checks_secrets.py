import pytest

from build.model import Severity
from tests.checking import Repository

# Put together here, so that this file holds nothing that looks like a key.
KEY_ID = "AKI" + "A" + "Q7JZ3XK5PW2MNB4T"
SECRET = "q8Zr3TnW5bXy7LcK" + "1vJm9HdP2sFg4RtE6uYoNiAa"
BEGIN, END = "-----BEGIN " + "{}PRIVATE KEY-----", "-----END {}PRIVATE KEY-----"
BODY = "MIIEowIBAAKCAQEAx7Zr3TnW5bXy7LcK1vJm9HdP2sFg4RtE6uYoNiAaQ8wSzXeC"


def found(tmp_path, text: str, path: str = "settings.py", *, rules: tuple[str, ...] = ("secret",)):
    return Repository(tmp_path).function({path: text}).findings(*rules)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f"KEY = '{KEY_ID}'", "an AWS access key id"),
        (f"aws_access_key_id = ASI{KEY_ID[2:]}".replace("ASIIA", "ASIA"), "an AWS access key id"),
        (f"aws_secret_access_key = {SECRET}", "an AWS secret access key"),
        (f'"SecretAccessKey": "{SECRET}"', "an AWS secret access key"),
        (f"AWS_SECRET_ACCESS_KEY='{SECRET}'", "an AWS secret access key"),
        (f"aws_secret_access_key: str = '{SECRET}'", "an AWS secret access key"),
        (f"aws_secret_access_key: Final[str | None] = '{SECRET}'", "an AWS secret access key"),
        (f"aws_secret_access_key: {SECRET}", "an AWS secret access key"),
        (f'os.environ["AWS_SECRET_ACCESS_KEY"] = "{SECRET}"', "an AWS secret access key"),
        (f'os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "{SECRET}")', "an AWS secret access key"),
        (f"SECRET_KEY = b'{SECRET}'", "an AWS secret access key"),
        (f"{BEGIN.format('RSA ')}\n{BODY}\n{END.format('RSA ')}", "a private key"),
        (f"KEY = '{BEGIN.format('RSA ')}\\n' + \\\n    '{BODY}\\n'", "a private key"),
        (f"KEY = b'{BEGIN.format('RSA ')}\\n' \\\n    b'{BODY}\\n'", "a private key"),
        (f'KEY = """{BEGIN.format("")}\\\n{BODY}\\\n"""', "a private key"),
        (f"KEY = '{BEGIN.format('')}\\n{BODY}\\n'", "a private key"),
        (f"KEY = (\n  '{BEGIN.format('EC ')}'\n  '{BODY}'\n)", "a private key"),
        (f"{BEGIN.format('RSA ')}\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES\n\n{BODY}", "a private key"),
        ("token = 'gh" + f"p_{SECRET[:36]}'", "a GitHub token"),
        ("token = 'xox" + f"b-{SECRET[:30]}'", "a Slack token"),
        ("stripe.api_key = 'sk" + f"_live_{SECRET[:24]}'", "a Stripe key"),
        ("pip = 'npm" + f"_{SECRET[:36]}'", "a token of a package index"),
    ],
)
def test_a_secret_is_an_error_that_names_its_line_and_never_shows_it(tmp_path, text, what):
    (finding,) = found(tmp_path, f"# first line\n{text}\n")
    assert (finding.severity, finding.subject) == (Severity.ERROR, "functions/f")
    line = 3 if text.startswith("KEY = (") else 2
    assert finding.message == f"{what} would ship with it: src/settings.py:{line}"
    told = f"{finding.message} {finding.hint} {finding.details}"
    assert not any(part in told for part in (KEY_ID, SECRET[:16], BODY[:16]))


@pytest.mark.parametrize(
    "text",
    [
        "if '" + BEGIN.format("RSA ") + "' in text: ...",
        "-----BEGIN CERTIFICATE-----\n" + BODY,
        "-----BEGIN PUBLIC KEY-----\n" + BODY,
        "aws_access_key_id = AKI" + "AIOSFODNN7EXAMPLE",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY" + "EXAMPLEKEY",
        "aws_secret_access_key = " + "0" * 40,
        "secret_key = os.environ['SECRET_KEY']",
        f"digest = '{SECRET}'",
        f"secret_key, {SECRET}",
        f"X{KEY_ID}",
    ],
)
def test_what_only_looks_like_a_secret_is_none(tmp_path, text):
    assert found(tmp_path, text) == []


@pytest.mark.parametrize("path", [".netrc", ".pypirc", ".npmrc", ".aws/credentials", "id_rsa"])
def test_a_file_whose_name_promises_secrets_is_one(tmp_path, path):
    (finding,) = found(tmp_path, "machine example.invalid login me password hush", path)
    assert finding.message.endswith(f"src/{path}:1")


def test_a_comment_on_the_line_or_above_it_allows_one_place_and_no_other(tmp_path):
    allowed = f"KEY = '{KEY_ID}'  # slipway: allow-secret, of a test account\n# slipway: allow-secret\nB = '{KEY_ID}'\n"
    assert found(tmp_path / "allowed", allowed) == []
    (finding,) = found(tmp_path / "more", f"{allowed}\nC = '{KEY_ID}'\n")
    assert finding.message.endswith("src/settings.py:5")


def test_many_places_of_one_kind_are_one_error(tmp_path):
    (finding,) = found(tmp_path, f"'{KEY_ID}'\n" * 7)
    assert finding.message.endswith("src/settings.py:5 and 2 more")


def test_binary_and_huge_files_are_judged_by_their_name_alone(tmp_path):
    repository = Repository(tmp_path)
    repository.function({"data.bin": f"\0{KEY_ID}", "large.csv": f"{KEY_ID}\n" + "x" * 5_000_000})
    assert repository.findings("secret") == []


def test_key_stores_are_a_warning_because_nobody_can_look_in(tmp_path):
    (finding,) = found(tmp_path, "\0\1", "certs/client.P12", rules=("key-file",))
    assert (finding.severity, finding.message) == (Severity.WARNING, "key stores ship with it: src/certs/client.P12")


def test_the_sources_of_a_layer_are_read_and_distributions_are_not(tmp_path):
    repository = Repository(tmp_path)
    careless = repository.wheel("careless", files={"careless.py": f"KEY = '{KEY_ID}'"})
    repository.layer("shared", {"config.py": f"KEY = '{KEY_ID}'"}, wheels=[careless])
    repository.function({}, wheels=[careless])
    assert [finding.subject for finding in repository.findings("secret")] == ["layers/shared"]
