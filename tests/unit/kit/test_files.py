"""A file for its owner alone is replaced whole, or stays as it was."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from fairway.kit.files import replace_file, replace_private, writing_private


@pytest.mark.parametrize("durable", [False, True])
def test_a_file_is_replaced_whole_and_read_by_its_owner_alone(
    tmp_path: Path, durable: bool
) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(b"an earlier and longer one")
    path.chmod(0o644)
    replace_private(path, b"new", durable=durable)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_files_that_differ_by_their_ending_do_not_meet(tmp_path: Path) -> None:
    replace_private(tmp_path / "pair.key", b"key")
    replace_private(tmp_path / "pair.crt", b"crt")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        "pair.key": b"key",
        "pair.crt": b"crt",
    }


def test_what_was_there_stays_when_it_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"old")
    (tmp_path / "kept.part").mkdir()
    with pytest.raises(OSError, match=r"kept\.part"):
        replace_private(path, b"new")
    assert path.read_bytes() == b"old"


def test_what_is_written_bit_by_bit_takes_its_place_at_the_end_or_not_at_all(
    tmp_path: Path,
) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"old")
    with writing_private(path, durable=True) as file:
        file.write(b"new, ")
        file.flush()
        assert path.read_bytes() == b"old"
        file.write(b"and whole")
    assert path.read_bytes() == b"new, and whole"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(TypeError, match="bytes-like"), writing_private(path) as file:
        file.writelines([b"half", None])  # type: ignore[list-item]
    assert path.read_bytes() == b"new, and whole"
    assert list(tmp_path.iterdir()) == [path]


def test_a_replaced_file_is_whole_and_leaves_no_part(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    replace_file(path, b"first, and longer")
    replace_file(path, b"second")
    assert path.read_bytes() == b"second"
    assert [one.name for one in tmp_path.iterdir()] == ["kept"]
