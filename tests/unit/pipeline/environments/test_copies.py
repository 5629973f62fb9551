"""Copies of the workspace follow no link, wherever one stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from fairway.model.errors import InvalidInput
from fairway.pipeline.environments.copies import Copies, inside


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    (folder / "conf" / "more").mkdir(parents=True)
    (folder / "conf" / "a.sh").write_text("echo a")
    (folder / "conf" / "a.sh").chmod(0o755)
    (folder / "conf" / "more" / "b").write_text("b")
    (tmp_path / "secret").write_text("root's own")
    return folder


def test_files_and_folders_are_copied_with_their_modes(root: Path, tmp_path: Path) -> None:
    copies = Copies(root, tmp_path / "copies")
    folder = copies.copy(str(root / "conf"))
    assert (folder / "more" / "b").read_text() == "b"
    assert (folder / "a.sh").stat().st_mode & 0o777 == 0o755
    assert copies.copy(str(root / "conf" / "a.sh")).read_text() == "echo a"


def test_a_link_that_leads_out_is_refused(root: Path, tmp_path: Path) -> None:
    (root / "out").symlink_to("/etc")
    with pytest.raises(InvalidInput, match="leads out of the workspace"):
        Copies(root, tmp_path / "copies").copy(str(root / "out" / "passwd"))
    assert not inside(root, str(root / "out"))
    assert inside(root, str(root / "not" / "there" / "yet"))


def test_a_link_within_a_copied_folder_stays_a_link(root: Path, tmp_path: Path) -> None:
    (root / "conf" / "link").symlink_to("/etc/passwd")
    made = Copies(root, tmp_path / "copies").copy(str(root / "conf"))
    assert (made / "link").readlink() == Path("/etc/passwd")


def test_a_folder_swapped_for_a_link_after_it_was_judged_is_not_read(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged = Path.resolve

    def resolve(self: Path, strict: bool = False) -> Path:
        found = judged(self, strict)
        if self == root / "conf" / "more":
            (root / "conf").rename(root / "old")
            (root / "conf").symlink_to(tmp_path)
        return found

    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b").write_text("root's own")
    copies = Copies(root, tmp_path / "copies")
    monkeypatch.setattr(Path, "resolve", resolve)
    with pytest.raises(InvalidInput, match="cannot be read as a part of the workspace"):
        copies.copy(str(root / "conf" / "more"))


def test_what_is_not_there_becomes_an_empty_folder(root: Path, tmp_path: Path) -> None:
    made = Copies(root, tmp_path / "copies").copy(str(root / "reports"))
    assert list(made.iterdir()) == []


def test_a_copy_that_services_mount_is_not_made_again(root: Path, tmp_path: Path) -> None:
    copies = Copies(root, tmp_path / "copies")
    first = copies.copy(str(root / "conf"))
    (root / "conf" / "a.sh").write_text("changed")
    assert Copies(root, tmp_path / "copies").copy(str(root / "conf")) == first
    assert (first / "a.sh").read_text() == "echo a"
