"""Blobs in a folder and in memory, and what is the folder's own."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from fairway.blob import folder as folder_module
from fairway.blob.blob import CHUNK, Blobs
from fairway.blob.folder import Folder
from fairway.model.errors import Unavailable
from fairway.testing.blob import MemoryBlobs
from fairway.testing.contracts.blob import BlobsContract, everything, stream


class TestFolder(BlobsContract):
    @pytest.fixture
    def blobs(self, tmp_path: Path) -> Blobs:
        return Folder(tmp_path / "blobs")

    async def test_a_full_disk_is_said_so_and_leaves_nothing(
        self, blobs: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(*_args: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(Unavailable) as error:
            await blobs.put("a", stream(b"x"))
        assert error.value.code == "disk-full"
        assert error.value.remedy
        assert not list((blobs.root / ".partial").iterdir())
        with pytest.raises(Unavailable) as error:
            await blobs.append("b", 0, b"x")
        assert error.value.code == "disk-full"

    async def test_a_folder_that_cannot_be_used_is_said_so(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(Unavailable) as error:
            Folder(tmp_path / "file" / "blobs")
        assert error.value.code == "blobs-unavailable"

    async def test_a_put_is_on_the_disk_before_its_name_is_there(
        self, blobs: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[str] = []
        sync, rename = os.fsync, Path.replace

        def fsync(file: int) -> None:
            seen.append("folder" if Path(f"/proc/self/fd/{file}").is_dir() else "file")
            sync(file)

        def replace(self: Path, target: Path) -> Path:
            seen.append("rename")
            return rename(self, target)

        monkeypatch.setattr(os, "fsync", fsync)
        monkeypatch.setattr(Path, "replace", replace)
        await blobs.put("a/b", stream(b"x"))
        first = seen.index("folder")
        assert set(seen[1:first]) == {"rename"}
        assert seen[0] == "file"
        assert seen[first:] == ["folder", "folder"]

    async def test_leftovers_of_a_crash_are_removed_when_they_are_old(self, blobs: Folder) -> None:
        old, new = blobs.root / ".partial" / "old", blobs.root / ".partial" / "new"
        for file in (old, new):
            file.write_text("half")
        os.utime(old, (1, 1))
        Folder(blobs.root)
        assert not old.exists()
        assert new.exists()
        assert await blobs.list() == []

    async def test_deleting_and_writing_beside_each_other_loses_nothing(
        self, blobs: Folder
    ) -> None:
        async def churn(number: int) -> None:
            for turn in range(20):
                await blobs.put(f"logs/shared/{number}", stream(str(turn).encode()))
                assert await blobs.delete(f"logs/shared/{number}")

        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(churn(number))
        assert await blobs.list() == []

    async def test_memory_stays_small_while_much_flows(
        self, blobs: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        held: list[int] = []
        write = folder_module._FileWriter.write_now

        def watched(self: folder_module._FileWriter, parts: list[bytes]) -> None:
            held.append(sum(map(len, parts)))
            write(self, parts)

        monkeypatch.setattr(folder_module._FileWriter, "write_now", watched)
        await blobs.put("a", stream(*[bytes(CHUNK // 4)] * 40))
        assert sum(held) == CHUNK * 10
        assert max(held) <= CHUNK

    async def test_free_space_is_what_the_disk_has(self, blobs: Folder) -> None:
        assert await blobs.free() > 0


class TestMemory(BlobsContract):
    @pytest.fixture
    def blobs(self) -> Blobs:
        return MemoryBlobs()

    async def test_it_can_be_full(self) -> None:
        blobs = MemoryBlobs(room=10)
        await blobs.append("a", 0, b"12345678")
        with pytest.raises(Unavailable) as error:
            await blobs.put("b", stream(b"123"))
        assert error.value.code == "disk-full"
        assert await blobs.free() == 2
        assert await everything(blobs.read("a")) == b"12345678"
