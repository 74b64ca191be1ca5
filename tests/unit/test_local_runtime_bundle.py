from build.local import runtime_bundle
from build.model import Architecture, Runtime, Target
from build.project.profiles import RUNTIMES, profile_of

HASH = "0" * 64


def test_markers_are_evaluated_for_the_target():
    lock = (
        f'here==1.0 ; python_full_version >= "3.12" \\\n    --hash=sha256:{HASH} \\\n    --hash=sha256:{HASH}\n'
        "    # via something\n"
        f'windows==1.0 ; sys_platform == "win32" \\\n    --hash=sha256:{HASH}\n'
        f"always==2.0 \\\n    --hash=sha256:{HASH}\n"
    )
    new = list(runtime_bundle.applying(lock, profile_of(Target(Runtime(13), Architecture.ARM64))))
    old = list(runtime_bundle.applying(lock, profile_of(Target(Runtime(10), Architecture.ARM64))))
    assert [line.split()[0] for line in new] == ["here==1.0", "always==2.0"]
    assert [line.split()[0] for line in old] == ["always==2.0"]
    assert new[0].count("--hash=sha256:") == 2
    assert ";" not in "".join(new)


def test_the_lock_has_what_lambda_brings_for_every_runtime():
    for runtime in RUNTIMES:
        lines = list(
            runtime_bundle.applying(runtime_bundle.LOCK.read_text(), profile_of(Target(runtime, Architecture.ARM64)))
        )
        names = {line.partition("==")[0] for line in lines}
        assert {"awslambdaric", "boto3", "botocore"} <= names
        assert all("--hash=sha256:" in line for line in lines)
