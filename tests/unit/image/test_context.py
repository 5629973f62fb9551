import io
import os
import tarfile
from pathlib import Path

import pytest

from fairway.image import context
from fairway.image.context import Context, Tar, chunks, inside, read_inside
from fairway.image.ignore import Ignore
from fairway.model.errors import InvalidInput, TooLarge


def tar_of(root: Path, folder: str = ".", **options: object) -> tarfile.TarFile:
    given = {"ignore": Ignore(()), **options}
    data = b"".join(chunks(Context(root=root, folder=folder, **given)))  # type: ignore[arg-type]
    return tarfile.open(fileobj=io.BytesIO(data))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    (root / "src").mkdir(parents=True)
    (root / "src" / "a.txt").write_text("a")
    (root / "b.sh").write_text("b" * 5000)
    (root / "b.sh").chmod(0o755)
    (tmp_path / "secret").write_text("secret")
    return root


def test_files_folders_and_links_are_in_the_tar_in_a_fixed_order(tree: Path) -> None:
    (tree / "link").symlink_to("/etc/passwd")
    tar = tar_of(tree)
    assert tar.getnames() == ["src", "b.sh", "link", "src/a.txt"]
    assert tar.getmember("link").linkname == "/etc/passwd"
    assert tar.getmember("link").issym()
    assert tar.getmember("b.sh").mode == 0o755
    assert (tar.getmember("b.sh").uid, tar.getmember("b.sh").gid) == (0, 0)


def test_the_same_files_are_the_same_bytes(tree: Path) -> None:
    given = Context(root=tree, folder=".", ignore=Ignore(()))
    assert b"".join(chunks(given)) == b"".join(chunks(given))


def test_it_is_a_gnu_tar_with_long_names(tree: Path) -> None:
    name = "n" * 180
    (tree / name).write_text("x")
    assert name in tar_of(tree).getnames()
    data = b"".join(chunks(Context(root=tree, folder=".", ignore=Ignore(()))))
    assert b"ustar  \0" in data
    assert b"PaxHeader" not in data


def test_a_folder_below_the_workspace_is_the_context(tree: Path) -> None:
    assert tar_of(tree, "src").getnames() == ["a.txt"]


def test_ignored_files_stay_out_and_exceptions_come_in(tree: Path) -> None:
    assert tar_of(tree, ignore=Ignore(["src"])).getnames() == ["b.sh"]
    found = tar_of(tree, ignore=Ignore(["*", "!src/a.txt"])).getnames()
    assert found == ["src/a.txt"]


def test_extra_files_take_the_place_of_their_namesakes(tree: Path) -> None:
    tar = tar_of(tree, extra={"b.sh": b"mine"})
    file = tar.extractfile("b.sh")
    assert file is not None
    assert file.read() == b"mine"
    assert tar.getnames().count("b.sh") == 1


def test_sockets_and_pipes_are_left_out(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    assert "pipe" not in tar_of(tree).getnames()


def test_a_linked_folder_is_not_walked_into(tree: Path) -> None:
    (tree / "out").symlink_to(tree.parent)
    names = tar_of(tree).getnames()
    assert "out" in names
    assert not any(name.startswith("out/") for name in names)


@pytest.mark.parametrize("path", ["..", "../secret", "src/../../secret", "/../secret"])
def test_paths_that_lead_out_are_refused(tree: Path, path: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        inside(tree, path)
    assert caught.value.code == "context-outside"


def test_a_link_that_leads_out_is_refused(tree: Path) -> None:
    (tree / "way").symlink_to(tree.parent / "secret")
    with pytest.raises(InvalidInput, match="leads out"):
        read_inside(tree, "way", 100)


def test_a_link_inside_is_followed_when_it_is_named(tree: Path) -> None:
    (tree / "Dockerfile").symlink_to("src/a.txt")
    assert read_inside(tree, "Dockerfile", 100) == b"a"


def test_a_folder_swapped_for_a_link_after_it_was_looked_at_is_refused(tree: Path) -> None:
    resolved = inside(tree, "src")
    (tree / "src").rename(tree / "old")
    (tree / "src").symlink_to(tree.parent)
    with pytest.raises(InvalidInput, match="leads out"):
        context.open_inside(tree, resolved)


def test_an_absolute_path_is_one_below_the_workspace(tree: Path) -> None:
    assert inside(tree, "/src/a.txt") == "src/a.txt"


def test_a_context_past_its_limit_is_refused(tree: Path) -> None:
    with pytest.raises(TooLarge) as caught:
        tar_of(tree, limit_bytes=2000)
    assert caught.value.code == "context-too-large"


def test_a_file_past_its_limit_is_refused(tree: Path) -> None:
    with pytest.raises(TooLarge):
        read_inside(tree, "b.sh", 4999)


def test_a_file_that_shrinks_while_it_is_read_is_filled_up(tree: Path) -> None:
    (tree / "big").write_bytes(b"x" * 3_000_000)
    pieces = chunks(Context(root=tree / "src", folder=".", ignore=Ignore(())))
    assert b"".join(pieces)
    with (tree / "big").open("rb") as file:
        os.truncate(tree / "big", 10)
        data = b"".join(context._exactly(file, 1000))
    assert data[:10] == b"x" * 10
    assert len(data) == 1024


async def test_what_stops_the_stream_is_kept_for_who_asks(tree: Path) -> None:
    tar = Tar(Context(root=tree, folder=".", ignore=Ignore(()), limit_bytes=2000))
    with pytest.raises(TooLarge):
        async for _piece in tar:
            pass
    assert isinstance(tar.error, TooLarge)


async def test_a_folder_that_went_away_is_an_error_of_the_context(tree: Path) -> None:
    tar = Tar(Context(root=tree, folder="gone", ignore=Ignore(())))
    with pytest.raises(InvalidInput) as caught:
        async for _piece in tar:
            pass
    assert caught.value.code == "context-unreadable"
