"""Sealing: what opens, what does not, and rotation."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from fairway.access.keyring import key_id, open_keyring, repository_place, secret_place
from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput, Unavailable

PLACE = secret_place(None, 7, "token")
KEY = base64.b64encode(b"k" * 32).decode()
OTHER = base64.b64encode(b"o" * 32).decode()


def test_what_is_sealed_opens_in_its_place_only(tmp_path: Path) -> None:
    ring = open_keyring(tmp_path / "key")
    sealed = ring.seal(Secret("tide ü"), place=PLACE)
    assert b"tide" not in sealed
    assert ring.open(sealed, place=PLACE) == Secret("tide ü")
    for place in (secret_place(None, 8, "token"), secret_place(7, None, "token"), "secret"):
        with pytest.raises(Unavailable) as caught:
            ring.open(sealed, place=place)
        assert caught.value.code == "key-wrong"


def test_the_same_value_is_never_sealed_alike(tmp_path: Path) -> None:
    ring = open_keyring(tmp_path / "key")
    assert ring.seal(Secret("x"), place=PLACE) != ring.seal(Secret("x"), place=PLACE)


def test_the_key_file_is_for_its_owner_and_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "key"
    sealed = open_keyring(path).seal(Secret("x"), place=PLACE)
    assert path.stat().st_mode & 0o777 == 0o600
    assert open_keyring(path).open(sealed, place=PLACE) == Secret("x")
    assert [each.name for each in path.parent.iterdir()] == ["key"]


def test_a_key_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "key"
    open_keyring(path)
    path.chmod(0o644)
    with pytest.raises(InvalidInput) as caught:
        open_keyring(path)
    assert caught.value.code == "key-file-open"


@pytest.mark.parametrize(
    "text", ["", "{}", '{"current":"a","keys":{}}', '{"current":"a","keys":{"a":"eA=="}}', "x"]
)
def test_a_broken_key_file_is_an_error_with_its_path(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(InvalidInput, match=str(path)) as caught:
        open_keyring(path)
    assert caught.value.code == "bad-key"


def test_rotation_keeps_old_keys_until_all_is_sealed_anew(tmp_path: Path) -> None:
    ring = open_keyring(tmp_path / "key")
    old = ring.seal(Secret("x"), place=PLACE)
    ring.rotate()
    assert ring.open(old, place=PLACE) == Secret("x")
    new = ring.reseal(old, place=PLACE)
    assert new is not None
    assert key_id(new) != key_id(old)
    assert ring.reseal(new, place=PLACE) is None
    assert ring.retire() == [key_id(old)]
    fresh = open_keyring(tmp_path / "key")
    assert fresh.open(new, place=PLACE) == Secret("x")
    with pytest.raises(Unavailable) as caught:
        fresh.open(old, place=PLACE)
    assert caught.value.code == "key-missing"


def test_another_process_learns_of_a_rotation(tmp_path: Path) -> None:
    mine, other = open_keyring(tmp_path / "key"), open_keyring(tmp_path / "key")
    other.rotate()
    sealed = other.seal(Secret("x"), place=PLACE)
    assert mine.open(sealed, place=PLACE) == Secret("x")


def test_the_environment_gives_keys_the_first_of_which_seals(tmp_path: Path) -> None:
    path = tmp_path / "key"
    old = open_keyring(path, Secret(KEY)).seal(Secret("x"), place=PLACE)
    both = open_keyring(path, Secret(f"{OTHER}, {KEY}"))
    assert both.open(old, place=PLACE) == Secret("x")
    assert key_id(both.seal(Secret("x"), place=PLACE)) != key_id(old)
    with pytest.raises(InvalidInput) as caught:
        both.rotate()
    assert caught.value.code == "key-from-environment"
    assert not path.exists()


@pytest.mark.parametrize("text", ["short", base64.b64encode(b"x" * 31).decode(), "ü"])
def test_a_key_of_the_environment_must_be_32_bytes(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        open_keyring(tmp_path / "key", Secret(text))
    assert caught.value.code == "bad-key"
    assert text not in str(caught.value)


@pytest.mark.parametrize("cut", [0, 5, 20])
def test_a_cut_value_is_an_error(tmp_path: Path, cut: int) -> None:
    ring = open_keyring(tmp_path / "key")
    sealed = ring.seal(Secret("x"), place=repository_place(1, "hook_secret"))
    with pytest.raises(Unavailable) as caught:
        ring.open(sealed[:cut], place=repository_place(1, "hook_secret"))
    assert caught.value.code == "sealed-broken"
