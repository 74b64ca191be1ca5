import pytest
from packaging.tags import parse_tag

from build.model import Architecture, Runtime, Target
from build.project.profiles import RUNTIMES, profile_of

AL2, AL2023 = Runtime(11), Runtime(13)


def accepts(runtime: Runtime, architecture: Architecture, tag: str) -> bool:
    return not parse_tag(tag).isdisjoint(profile_of(Target(runtime, architecture)).tags)


@pytest.mark.parametrize(
    ("runtime", "architecture", "tag", "fits"),
    [
        (AL2023, Architecture.X86_64, "cp313-cp313-manylinux_2_34_x86_64", True),
        (AL2023, Architecture.X86_64, "cp313-cp313-manylinux_2_28_x86_64", True),
        (AL2023, Architecture.X86_64, "cp313-cp313-manylinux_2_35_x86_64", False),
        (AL2023, Architecture.X86_64, "cp39-abi3-manylinux2014_x86_64", True),
        (AL2023, Architecture.X86_64, "cp313-cp313-manylinux1_x86_64", True),
        (AL2023, Architecture.X86_64, "cp312-cp312-manylinux2014_x86_64", False),
        (AL2023, Architecture.X86_64, "cp313-cp313t-manylinux2014_x86_64", False),
        (AL2023, Architecture.X86_64, "cp314-abi3-manylinux2014_x86_64", False),
        (AL2023, Architecture.X86_64, "pp310-pypy310_pp73-manylinux2014_x86_64", False),
        (AL2023, Architecture.X86_64, "cp27-cp27mu-manylinux1_x86_64", False),
        (AL2023, Architecture.X86_64, "py2-none-any", False),
        (AL2023, Architecture.X86_64, "py2.py3-none-any", True),
        (AL2023, Architecture.X86_64, "py38-none-any", True),
        (AL2023, Architecture.X86_64, "cp313-cp313-musllinux_1_2_x86_64", False),
        (AL2023, Architecture.X86_64, "cp313-cp313-macosx_11_0_arm64", False),
        (AL2023, Architecture.ARM64, "cp313-cp313-manylinux2014_aarch64", True),
        (AL2023, Architecture.ARM64, "cp313-cp313-manylinux2014_x86_64", False),
        (AL2, Architecture.X86_64, "cp311-cp311-manylinux_2_26_x86_64", True),
        (AL2, Architecture.X86_64, "cp311-cp311-manylinux_2_28_x86_64", False),
        (AL2, Architecture.ARM64, "py3-none-any", True),
    ],
)
def test_a_wheel_fits_by_the_glibc_abi_and_machine_of_the_target(runtime, architecture, tag, fits):
    assert accepts(runtime, architecture, tag) is fits


@pytest.mark.parametrize("runtime", RUNTIMES, ids=str)
@pytest.mark.parametrize("architecture", Architecture)
def test_every_profile_lists_every_glibc_minor_because_pip_takes_platforms_literally(runtime, architecture):
    profile = profile_of(Target(runtime, architecture))
    minors = [int(p.split("_")[2]) for p in profile.platforms if p.startswith("manylinux_2_")]
    assert minors == list(range(profile.glibc[1], minors[-1] - 1, -1))
    assert f"manylinux2014_{profile.machine}" in profile.platforms


def test_markers_are_those_of_lambda_and_not_of_this_machine():
    markers = profile_of(Target(Runtime(12), Architecture.ARM64)).markers
    assert (markers["python_version"], markers["platform_machine"], markers["sys_platform"]) == (
        "3.12",
        "aarch64",
        "linux",
    )
