"""Digests."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.model.errors import InvalidInput
from fairway.oci import digest

GOOD = {
    "sha256": "6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b",
    "sha512": "0" * 128,
    "blake3": "a" * 64,
}


@pytest.mark.parametrize("algorithm", GOOD)
def test_every_registered_algorithm_is_read(algorithm: str) -> None:
    text = f"{algorithm}:{GOOD[algorithm]}"
    found = digest.parse(text)
    assert (found.algorithm, found.encoded, str(found)) == (algorithm, GOOD[algorithm], text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "bad-digest"),
        ("sha256", "bad-digest"),
        ("sha256:", "bad-digest"),
        (":abc", "bad-digest"),
        ("sha256:abc", "bad-digest"),
        ("sha256:" + "A" * 64, "bad-digest"),
        ("sha256:" + "g" * 64, "bad-digest"),
        ("sha256:" + "0" * 63, "bad-digest"),
        ("sha256:" + "0" * 65, "bad-digest"),
        ("SHA256:" + "0" * 64, "bad-digest"),
        ("sha256:" + "0" * 64 + "\n", "bad-digest"),
        (" sha256:" + "0" * 64, "bad-digest"),
        ("sha256:" + "0" * 62 + "/.", "bad-digest"),
        ("sha256:../../../../etc/passwd", "bad-digest"),
        ("sha256:" + "٠" * 64, "bad-digest"),
        ("sha256:" + "0" * 100_000, "bad-digest"),
        ("md5:" + "0" * 32, "unknown-digest-algorithm"),
        ("sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564", "unknown-digest-algorithm"),
        (
            "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8",
            "unknown-digest-algorithm",
        ),
    ],
)
def test_what_is_no_digest_of_ours_is_refused(text: str, code: str) -> None:
    with pytest.raises(InvalidInput) as error:
        digest.parse(text)
    assert error.value.code == code
    assert error.value.remedy
    assert len(error.value.message) < 300


def test_digests_are_what_other_programs_compute() -> None:
    assert digest.of(b"abc") == "sha256:" + hashlib.sha256(b"abc").hexdigest()
    assert digest.of(b"abc", "sha512") == "sha512:" + hashlib.sha512(b"abc").hexdigest()
    # from the BLAKE3 reference implementation
    assert digest.of(b"abc", "blake3") == (
        "blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"
    )


@given(st.binary(max_size=300), st.sampled_from(sorted(GOOD)), st.integers(0, 300))
def test_a_digest_in_parts_is_that_of_the_whole(data: bytes, algorithm: str, at: int) -> None:
    one = digest.hasher(algorithm)
    one.update(data[:at])
    one.update(data[at:])
    assert f"{algorithm}:{one.hexdigest()}" == digest.of(data, algorithm)


@given(st.text())
def test_reading_a_digest_raises_nothing_else(text: str) -> None:
    try:
        found = str(digest.parse(text))
    except InvalidInput:
        return
    assert found == text


def test_a_tag_is_told_from_a_digest_by_its_colon() -> None:
    assert digest.is_digest("sha256:x")
    assert not digest.is_digest("sha256-x.sig")
