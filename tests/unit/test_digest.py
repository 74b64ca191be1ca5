import base64
import hashlib

import pytest

from build.digest import Digest


def test_base64_is_of_the_raw_digest_and_not_of_its_hex():
    digest = Digest.of_bytes(b"slipway")
    assert base64.b64decode(digest.base64) == hashlib.sha256(b"slipway").digest()


def test_text_form_is_read_back():
    digest = Digest.of_bytes(b"")
    assert Digest.parse(str(digest)) == Digest.parse(digest.hex) == digest


@pytest.mark.parametrize("text", ["", "sha256:", "abc", "sha1:" + "0" * 64, "G" * 64, "0" * 63, "A" * 64])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="not a sha256 digest"):
        Digest.parse(text)


def test_a_file_has_the_digest_of_its_bytes(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"x" * 3_000_000)
    assert Digest.of_file(path) == Digest.of_bytes(b"x" * 3_000_000)
