import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from build.model import Architecture, Runtime, Target
from build.wheels.elf import Need, SharedObject, misfits, read_shared_object
from tests.elves import make_elf

AL2 = Target(Runtime(11), Architecture.X86_64)
AL2023 = Target(Runtime(13), Architecture.X86_64)
ARM = Target(Runtime(13), Architecture.ARM64)
LIBC = {"libc.so.6": {"GLIBC_2.2.5": "malloc", "GLIBC_2.34": "pthread_create", "GLIBC_2.9": "dup3"}}


def read(path: str = "pkg/fast.so", **elf) -> SharedObject:
    found = read_shared_object(path, make_elf(**elf))
    assert found
    return found


def test_everything_the_loader_goes_by_is_read():
    found = read(
        machine="aarch64",
        needed=("libc.so.6", "libfoo-1a2b.so.1"),
        soname="fast.so.1",
        runpath="$ORIGIN/../pkg.libs:/usr/local/lib",
        rpath="/passed/over",
        versions={**LIBC, "libgcc_s.so.1": {"GCC_3.0": "_Unwind_Resume"}},
        module="fast",
    )
    assert found == SharedObject(
        path="pkg/fast.so",
        machine="aarch64",
        soname="fast.so.1",
        needed=("libc.so.6", "libfoo-1a2b.so.1"),
        search=("$ORIGIN/../pkg.libs", "/usr/local/lib"),
        requires=(
            Need("libc.so.6", "GLIBC", "2.34", "pthread_create"),
            Need("libgcc_s.so.1", "GCC", "3.0", "_Unwind_Resume"),
        ),
        is_module=True,
    )


def test_versions_are_compared_as_numbers_and_words_are_kept_beside_them():
    found = read(versions={"libc.so.6": {"GLIBC_2.4": "a", "GLIBC_2.17": "b", "GLIBC_ABI_DT_RELR": "c"}})
    assert [need.version for need in found.requires] == ["2.17", "ABI_DT_RELR"]


def test_weak_versions_may_be_absent_and_so_are_not_needed():
    found = read(versions={"libc.so.6": {"GLIBC_2.17": "a", "GLIBC_2.38": "b"}}, weak=("GLIBC_2.38",))
    assert [need.version for need in found.requires] == ["2.17"]


def test_other_machines_have_their_name_whatever_their_byte_order():
    found = read(machine="ppc64", big_endian=True, versions=LIBC)
    assert (found.machine, found.requires[0].symbol) == ("EM_PPC64", "pthread_create")


def test_only_a_file_with_the_init_function_of_its_name_is_a_module():
    assert read("pkg/fast.cpython-313-x86_64-linux-gnu.so", module="fast").is_module
    assert read("pkg/fast.abi3.so", module="fast").is_module
    assert not read("pkg/libfast.so", module="fast").is_module


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n", b"\xcf\xfa\xed\xfe" + bytes(64), make_elf(kind=1)])
def test_what_the_loader_does_not_take_is_nothing(data):
    assert read_shared_object("file", data) is None


def test_facts_survive_json():
    found = read(needed=("libc.so.6",), versions=LIBC, runpath="$ORIGIN", module="fast")
    assert SharedObject.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize("row", [[], ["too", "short"], None, {"path": "x"}, ["p", "m", "s", 1, [], [], True, ""]])
def test_a_row_of_another_shape_counts_as_forgotten(row):
    with pytest.raises((LookupError, TypeError, ValueError)):
        SharedObject.from_json(row)


@pytest.mark.parametrize("length", [4, 20, 63, 64, 100, 300])
def test_a_torn_file_says_that_it_cannot_be_read(length):
    found = read_shared_object("fast.so", make_elf(needed=("libc.so.6",), versions=LIBC)[:length])
    assert found
    assert found.unreadable
    assert misfits(found, AL2, ())


@given(st.lists(st.tuples(st.integers(4, 700), st.integers(0, 255)), max_size=8))
def test_a_damaged_file_never_raises(changes):
    data = bytearray(make_elf(needed=("libc.so.6",), versions=LIBC, runpath="$ORIGIN"))
    for position, value in changes:
        data[position % (len(data) - 4) + 4] = value
    read_shared_object("fast.so", bytes(data))


def test_a_file_that_says_it_has_endless_tables_is_given_up():
    data = bytearray(make_elf(versions=LIBC))
    size = 64
    header = len(data) - 2 * size
    data[header + 44 : header + 48] = b"\xff" * 4  # how many libraries the table of versions names
    table = int.from_bytes(data[header + 24 : header + 32], "little")
    data[table + 12 : table + 16] = bytes(4)  # and the next one is always this one
    found = read_shared_object("fast.so", bytes(data))
    assert found
    assert "entries in a table" in found.unreadable


@pytest.mark.parametrize(
    ("elf", "target", "why"),
    [
        ({"versions": LIBC}, AL2023, ""),
        ({"versions": LIBC}, AL2, "expected at most GLIBC_2.26, got GLIBC_2.34 (pthread_create)"),
        ({"versions": {"libstdc++.so.6": {"GLIBCXX_3.4.25": "x"}}}, AL2, "GLIBCXX_3.4.24, got GLIBCXX_3.4.25"),
        ({"versions": {"libstdc++.so.6": {"CXXABI_1.3.11": "x"}}}, AL2, ""),
        ({"versions": {"libstdc++.so.6": {"CXXABI_TM_1": "x"}}}, AL2, ""),
        ({"versions": {"libc.so.6": {"GLIBC_ABI_DT_RELR": "x"}}}, AL2023, "GLIBC_2.34, got GLIBC_ABI_DT_RELR"),
        ({"versions": {"libc.so.6": {"GLIBC_PRIVATE": "x"}}}, AL2023, ""),
        ({"versions": {"libstdc++-9f.so.6": {"GLIBCXX_3.4.99": "x"}}}, AL2, ""),
        ({"versions": {"libssl.so.3": {"OPENSSL_3.9.0": "x"}}}, AL2023, ""),
        ({"machine": "aarch64"}, AL2023, "expected code for x86_64, got aarch64"),
        ({"machine": "aarch64"}, ARM, ""),
        ({"needed": ("libGL.so.1",)}, AL2023, "libGL.so.1"),
        ({"needed": ("libbrought.so",)}, AL2023, ""),
        ({"needed": ("libc.so.6", "libstdc++.so.6", "libz.so.1", "libpython3.13.so.1.0")}, AL2023, ""),
        ({"needed": ("libpython3.12.so.1.0",)}, AL2023, "libpython3.12.so.1.0"),
        ({"needed": ("libc.musl-x86_64.so.1",)}, AL2023, "libc.musl-x86_64.so.1"),
        ({"needed": ("libexpat.so.1",)}, AL2023, "libexpat.so.1"),
    ],
)
def test_an_object_fits_by_machine_symbol_versions_and_libraries(elf, target, why):
    found = "; ".join(misfits(read(**elf), target, {"libbrought.so"}))
    assert why in found
    assert bool(found) is bool(why)


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        ("fast.so", True),
        ("fast.abi3.so", True),
        ("fast.cpython-313-x86_64-linux-gnu.so", True),
        ("fast.cpython-312-x86_64-linux-gnu.so", False),
        ("fast.cpython-313t-x86_64-linux-gnu.so", False),
        ("fast.cpython-313-x86_64-linux-musl.so", False),
        ("fast.cpython-313-darwin.so", False),
        ("fast.pypy310-pp73-x86_64-linux-gnu.so", False),
        ("libfast.so.1.2", True),
        ("libfast-3.13.so", True),
    ],
)
def test_a_file_name_says_which_python_imports_it(name, fits):
    assert (misfits(read(f"pkg/{name}"), AL2023, ()) == ()) is fits
