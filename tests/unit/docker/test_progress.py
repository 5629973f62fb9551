import base64

import pytest

from fairway.docker.progress import Malformed, Progress, decode, fields


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def text(number: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def at(field: int, seconds: int) -> bytes:
    return text(field, number(1, seconds) + number(2, 500_000_000))


def vertex(digest: str, name: str = "", *parts: bytes) -> bytes:
    return text(1, text(1, digest) + text(3, name) + b"".join(parts))


def log(digest: str, data: bytes) -> bytes:
    return text(3, text(1, digest) + at(2, 9) + number(3, 1) + text(4, data))


def aux(*parts: bytes) -> str:
    return base64.b64encode(b"".join(parts)).decode()


def test_a_step_is_shown_from_its_start_to_its_end() -> None:
    progress = Progress()
    assert progress.take(aux(vertex("a", "RUN make", at(5, 10)))) == b"#1 RUN make\n"
    assert progress.take(aux(log("a", b"one\ntw"))) == b"#1 one\n"
    assert progress.take(aux(log("a", b"o\n"))) == b"#1 two\n"
    assert progress.take(aux(vertex("a", "RUN make", at(5, 10), at(6, 12)))) == b"#1 DONE 2.0s\n"


def test_a_last_line_without_an_end_is_not_lost() -> None:
    progress = Progress()
    progress.take(aux(vertex("a", "RUN", at(5, 1)), log("a", b"rest")))
    assert progress.take(aux(vertex("a", "RUN", at(5, 1), at(6, 1)))) == b"#1 rest\n#1 DONE 0.0s\n"


def test_a_cached_step_says_so() -> None:
    shown = Progress().take(aux(vertex("a", "COPY . .", number(4, 1), at(5, 1), at(6, 1))))
    assert shown == b"#1 COPY . .\n#1 CACHED\n"


def test_an_error_is_shown_and_kept() -> None:
    progress = Progress()
    shown = progress.take(
        aux(vertex("a", "RUN false", at(5, 1), at(6, 2), text(7, "exit code: 1")))
    )
    assert shown == b"#1 RUN false\n#1 ERROR: exit code: 1\n"
    assert progress.errors == ["exit code: 1"]


def test_steps_that_run_side_by_side_are_told_apart() -> None:
    progress = Progress()
    progress.take(aux(vertex("a", "one", at(5, 1)), vertex("b", "two", at(5, 1))))
    assert progress.take(aux(log("b", b"B\n"), log("a", b"A\n"))) == b"#2 B\n#1 A\n"


def test_a_step_that_has_not_begun_is_not_shown() -> None:
    assert Progress().take(aux(vertex("a", "later"))) == b""


def test_fields_that_nobody_knows_are_stepped_over() -> None:
    message = decode(aux(number(40, 7), text(41, "x"), varint(42 << 3 | 5) + b"1234", vertex("a")))
    assert [found.digest for found in message.vertexes] == ["a"]


@pytest.mark.parametrize(
    "data",
    [b"\x0a", b"\x0a\x05ab", b"\x0b", b"\x80", b"\xff" * 12, text(1, number(1, 5) + number(5, 3))],
)
def test_what_is_cut_or_no_message_is_refused_and_shows_nothing(data: bytes) -> None:
    encoded = base64.b64encode(data).decode()
    with pytest.raises(Malformed):
        decode(encoded)
    assert Progress().take(encoded) == b""


def test_what_is_not_base64_is_refused() -> None:
    with pytest.raises(Malformed):
        decode("!")


def test_numbers_of_every_size_are_read() -> None:
    assert list(fields(number(1, 2**63) + number(2, 0))) == [(1, 2**63), (2, 0)]
