"""The name in a new object's body."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.cluster.proxy.naming import name_in


def field(number: int, data: bytes) -> bytes:
    assert len(data) < 128
    return bytes([number << 3 | 2, len(data)]) + data


def unknown(meta: bytes) -> bytes:
    return b"k8s\x00" + field(1, field(1, b"v1") + field(2, b"Pod")) + field(2, field(1, meta))


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"metadata": {"name": "web"}}', "web"),
        (b'{"metadata": {"generateName": "web-"}}', "web-*"),
        (b'{"metadata": {}}', ""),
        (b"{}", ""),
        (b"", ""),
        (b"[]", ""),
        (b'{"metadata": {"name": 1}}', ""),
        (b"\xff", ""),
        (unknown(field(1, b"web")), "web"),
        (unknown(field(2, b"web-")), "web-*"),
        (unknown(b""), ""),
        (b"k8s\x00", ""),
        (b"k8s\x00\x12\x7f", ""),
        (b"k8s\x00" + b"\xff" * 20, ""),
        (unknown(field(1, b"\xff")), ""),
    ],
)
def test_json_and_protobuf_tell_it(body: bytes, name: str) -> None:
    assert name_in(body) == name


@given(st.binary(max_size=200))
def test_nothing_that_is_sent_breaks_it(body: bytes) -> None:
    for sent in (body, b"k8s\x00" + body, b"k8s\x00" + field(2, body[:100])):
        assert len(name_in(sent)) <= 253
