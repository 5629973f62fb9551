"""What is no whole backup of ours is refused, and writes nothing outside the data directory."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from fairway import settings
from fairway.boot import backup
from fairway.model.errors import BadFile
from fairway.store.database import Database


def packed(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def restore(data: Path, file: Path) -> None:
    def nothing(_: Database) -> None:
        """The schema does not matter here."""

    backup.restore(settings.load(data, {}), file, nothing, lambda _: None)


@pytest.mark.parametrize("name", ["git/../../outside", "keys/../../outside", "blobs/a/../../../x"])
def test_no_name_leads_out_of_the_data_directory(tmp_path: Path, name: str) -> None:
    file = packed(tmp_path / "hostile.tar.gz", {name: b"gotcha"})
    with pytest.raises(BadFile, match="leads out"):
        restore(tmp_path / "data", file)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "hostile.tar.gz"]


@pytest.mark.parametrize(
    "content",
    [b"", b"no archive", gzip.compress(b"no tar"), gzip.compress(bytes(10240))],
    ids=["empty", "text", "no tar", "no members"],
)
def test_what_is_no_backup_is_called_so(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "wrong.tar.gz"
    file.write_bytes(content)
    with pytest.raises(BadFile):
        restore(tmp_path / "data", file)


def test_a_damaged_backup_is_called_so(tmp_path: Path) -> None:
    file = packed(tmp_path / "whole.tar.gz", {"git/a": bytes(range(256)) * 4000})
    content = bytearray(file.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 64] = b"\xff" * 64
    file.write_bytes(content)
    with pytest.raises(BadFile, match=r"not a whole backup|holds no manifest"):
        restore(tmp_path / "data", file)
