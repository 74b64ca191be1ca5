"""What a Dockerfile says of the images it stands on."""

import pytest

from build.images.instructions import Instructions

DIGEST = "@sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("text", "images"),
    [
        ("FROM python:3.13\n", ("python:3.13",)),
        (f"FROM python:3.13{DIGEST}\n", ()),
        ("from --platform=linux/arm64 python AS build\nFROM build\n", ("python",)),
        ("FROM scratch\nCOPY --from=tools:1 /a /b\nCOPY --from=0 /a /b\n", ("tools:1",)),
        ("FROM scratch\nRUN --mount=type=bind,from=tools:1,target=/t ls\n", ("tools:1",)),
        ("ARG TAG=3.13\nFROM python:${TAG}\nFROM python:$TAG\n", ("python:3.13",)),
        ("ARG A=python\nARG B=${A}:3\nFROM ${B:-other}\n", ("python:3",)),
        ("FROM ${NOBODY:-python:3}\n", ("python:3",)),
        ("# FROM python:1\nFROM \\\n  # between\n  python:2 \\\n  AS last\n", ("python:2",)),
        ("FROM scratch\nRUN <<EOF\nFROM python:1\nEOF\nFROM python:2\n", ("python:2",)),
        ("ARG BASE=python:3\nFROM ${BASE}\n", ()),
    ],
)
def test_images_without_a_digest_are_found(text, images):
    assert Instructions(text).unpinned({}) == images


def test_an_argument_of_the_settings_takes_the_place_of_the_default():
    text = Instructions("ARG BASE=python:3\nFROM ${BASE}\n")
    assert text.unpinned({"BASE": "python:4"}) == ("python:4",)
    assert text.unpinned({"BASE": f"python{DIGEST}"}) == ()


def test_a_base_is_wanted_where_the_argument_is_declared_before_the_first_from():
    assert Instructions("ARG BASE\nFROM ${BASE}\n").wants_base
    assert not Instructions("FROM scratch\nARG BASE\n").wants_base
