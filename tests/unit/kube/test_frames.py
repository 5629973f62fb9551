"""Websocket frames: whatever is sent comes out, however it is cut; what is wrong is refused."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairway.kube import frames
from fairway.kube.frames import BINARY, CLOSE, PING, BadFrame, Decoder, Message


def served(opcode: int, data: bytes, *, final: bool = True) -> bytes:
    """A frame as a server sends it: without a mask."""
    head = bytes([(0x80 if final else 0) | opcode])
    size = len(data)
    if size < 126:
        return head + bytes([size]) + data
    if size < 65536:
        return head + b"\x7e" + size.to_bytes(2, "big") + data
    return head + b"\x7f" + size.to_bytes(8, "big") + data


@given(
    messages=st.lists(st.binary(max_size=300), max_size=6),
    parts=st.lists(st.integers(1, 100), max_size=6),
    pieces=st.lists(st.integers(1, 50), min_size=1, max_size=10),
)
def test_messages_come_out_whole(
    messages: list[bytes], parts: list[int], pieces: list[int]
) -> None:
    wire = b""
    for number, data in enumerate(messages):
        cut = parts[number] if number < len(parts) else 0
        if cut and cut < len(data):
            wire += served(BINARY, data[:cut], final=False)
            wire += served(PING, b"between")
            wire += served(0, data[cut:])
        else:
            wire += served(BINARY, data)
    decoder, found, at = Decoder(), [], 0
    for size in itertools.cycle(pieces):
        if at >= len(wire):
            break
        found += decoder.feed(wire[at : at + size])
        at += size
    assert [each.data for each in found if each.opcode == BINARY] == messages


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 200_000])
def test_sizes_are_told_in_three_ways(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    data = data[:size]
    assert Decoder().feed(served(BINARY, data)) == [Message(BINARY, data)]
    mask = b"\x01\x02\x03\x04"
    sent = frames.encode(BINARY, data, mask)
    assert sent[0] == 0x80 | BINARY
    assert sent[1] & 0x80, "a client masks"
    assert frames.masked(sent[len(sent) - size :], mask) == data
    assert len(sent) - size in (6, 8, 14)


@pytest.mark.parametrize(
    "wire",
    [
        b"\xc2\x00",  # a reserved bit
        b"\x82\x81\x00\x00\x00\x00\x00",  # a masked frame of a server
        b"\x80\x00",  # a part without a beginning
        b"\x02\x00\x82\x00",  # a beginning while another has no end
        b"\x08\x00",  # a control frame in parts
        b"\x88\x7e\x00\x7e" + b"x" * 126,  # a long control frame
        b"\x82\x7f\x00\x00\x00\x01\x00\x00\x00\x00",  # 4 GiB
    ],
)
def test_what_breaks_the_protocol_is_refused(wire: bytes) -> None:
    with pytest.raises(BadFrame):
        Decoder().feed(wire)


def test_a_message_in_parts_has_a_limit() -> None:
    decoder = Decoder()
    part = b"x" * (16 * 1024 * 1024)
    decoder.feed(served(BINARY, part, final=False))
    decoder.feed(served(0, part, final=False))
    with pytest.raises(BadFrame, match="more than"):
        decoder.feed(served(0, b"x", final=False))
    assert Decoder().feed(served(CLOSE, b"\x03\xe8")) == [Message(CLOSE, b"\x03\xe8")]
