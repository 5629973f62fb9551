"""What every `Blobs` does. Subclass it with a fixture `blobs`."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fairway.blob.blob import CHUNK, Blobs
from fairway.model.errors import Conflict, InvalidInput, NotFound

BAD_KEYS = (
    "",
    "/",
    "/etc/passwd",
    "a//b",
    "a/",
    "..",
    "a/../b",
    "./a",
    ".hidden",
    "a/.partial/b",
    "a\x00b",
    "a b",
    "a\n",
    "ä",
    "x" * 201,
    "/".join(["x" * 100] * 11),
)


async def stream(*parts: bytes) -> AsyncIterator[bytes]:
    """Chunks, as they come from a network."""
    for part in parts:
        yield part


async def everything(chunks: AsyncIterator[bytes]) -> bytes:
    """All chunks in one."""
    return b"".join([chunk async for chunk in chunks])


class BlobsContract:
    """The suite."""

    async def test_what_is_put_is_read_again_whole(self, blobs: Blobs) -> None:
        size = await blobs.put("logs/1/2", stream(b"one ", b"", b"two"))
        assert size == 7
        assert await blobs.size("logs/1/2") == 7
        assert await everything(blobs.read("logs/1/2")) == b"one two"

    async def test_a_put_replaces_what_was_there(self, blobs: Blobs) -> None:
        await blobs.put("a", stream(b"a long one"))
        await blobs.put("a", stream(b"short"))
        assert await everything(blobs.read("a")) == b"short"

    async def test_a_put_that_breaks_off_leaves_what_was_there(self, blobs: Blobs) -> None:
        async def broken() -> AsyncIterator[bytes]:
            yield b"half"
            raise ConnectionResetError

        await blobs.put("a", stream(b"whole"))
        with pytest.raises(ConnectionResetError):
            await blobs.put("a", broken())
        with pytest.raises(ConnectionResetError):
            await blobs.put("b", broken())
        assert await everything(blobs.read("a")) == b"whole"
        assert [item.key for item in await blobs.list()] == ["a"]

    async def test_large_content_comes_in_bounded_chunks(self, blobs: Blobs) -> None:
        whole = bytes(range(256)) * (CHUNK // 100)
        await blobs.put("a", stream(whole))
        chunks = [chunk async for chunk in blobs.read("a")]
        assert b"".join(chunks) == whole
        assert max(map(len, chunks)) <= CHUNK

    @pytest.mark.parametrize(
        ("start", "end", "wanted"),
        [
            (0, None, b"0123456789"),
            (3, None, b"3456789"),
            (3, 5, b"34"),
            (0, 0, b""),
            (9, 100, b"9"),
            (10, None, b""),
            (11, 12, b""),
        ],
    )
    async def test_a_range_is_half_open_and_ends_where_the_content_ends(
        self, blobs: Blobs, start: int, end: int | None, wanted: bytes
    ) -> None:
        await blobs.put("a", stream(b"0123456789"))
        assert await everything(blobs.read("a", start, end)) == wanted

    async def test_what_is_not_there_is_said_so(self, blobs: Blobs) -> None:
        assert await blobs.size("a/b") is None
        assert await blobs.delete("a/b") is False
        assert await blobs.list("a/") == []
        with pytest.raises(NotFound) as error:
            await everything(blobs.read("a/b"))
        assert error.value.code == "blob-not-found"
        with pytest.raises(NotFound):
            await blobs.sync("a/b")
        with pytest.raises(NotFound):
            await blobs.seal("a/b", "c")

    async def test_a_folder_of_keys_is_no_key(self, blobs: Blobs) -> None:
        await blobs.put("a/b/c", stream(b"x"))
        assert await blobs.size("a/b") is None
        assert await blobs.delete("a/b") is False

    async def test_what_is_deleted_is_gone(self, blobs: Blobs) -> None:
        await blobs.put("a/b", stream(b"x"))
        assert await blobs.delete("a/b") is True
        assert await blobs.size("a/b") is None
        await blobs.put("a/b", stream(b"y"))
        assert await everything(blobs.read("a/b")) == b"y"

    async def test_a_list_is_by_prefix_and_in_order(self, blobs: Blobs) -> None:
        for key in ("b/2", "a/10", "a/1", "ab/1"):
            await blobs.put(key, stream(key.encode()))
        assert [(i.key, i.size) for i in await blobs.list("a/")] == [("a/1", 3), ("a/10", 4)]
        assert [i.key for i in await blobs.list("a")] == ["a/1", "a/10", "ab/1"]
        assert [i.key for i in await blobs.list("a/1")] == ["a/1", "a/10"]
        assert len(await blobs.list()) == 4
        assert all(item.modified > 0 for item in await blobs.list())

    async def test_an_append_may_be_repeated(self, blobs: Blobs) -> None:
        assert await blobs.append("log", 0, b"abc") == 3
        assert await blobs.append("log", 3, b"def") == 6
        assert await blobs.append("log", 3, b"def") == 6
        assert await blobs.append("log", 0, b"abc") == 6
        assert await blobs.append("log", 4, b"efgh") == 8
        await blobs.sync("log")
        assert await everything(blobs.read("log")) == b"abcdefgh"

    async def test_an_append_leaves_no_hole(self, blobs: Blobs) -> None:
        await blobs.append("log", 0, b"abc")
        with pytest.raises(Conflict) as error:
            await blobs.append("log", 5, b"x")
        assert error.value.code == "blob-gap"
        assert await everything(blobs.read("log")) == b"abc"

    async def test_what_grows_is_read_as_far_as_it_is(self, blobs: Blobs) -> None:
        await blobs.append("log", 0, b"abc")
        reader = blobs.read("log")
        assert await anext(reader) == b"abc"
        await blobs.append("log", 3, b"def")
        assert await anext(reader) == b"def"
        with pytest.raises(StopAsyncIteration):
            await anext(reader)

    async def test_a_writer_goes_on_and_what_it_wrote_is_sealed(self, blobs: Blobs) -> None:
        writer = await blobs.writer("uploads/1")
        await writer.write([b"abc", b"def"])
        await writer.close()
        writer = await blobs.writer("uploads/1", 4)
        assert writer.size == 4
        await writer.write([b"XY"])
        await writer.close(sync=True)
        assert await blobs.size("uploads/1") == 6
        await blobs.put("blobs/x", stream(b"older"))
        await blobs.seal("uploads/1", "blobs/x")
        assert await everything(blobs.read("blobs/x")) == b"abcdXY"
        assert await blobs.size("uploads/1") is None

    async def test_a_writer_leaves_no_hole(self, blobs: Blobs) -> None:
        with pytest.raises(Conflict):
            await blobs.writer("uploads/1", 1)

    async def test_a_writer_closes_twice(self, blobs: Blobs) -> None:
        writer = await blobs.writer("uploads/1")
        await writer.close()
        await writer.close()
        assert await blobs.size("uploads/1") == 0

    @pytest.mark.parametrize("key", BAD_KEYS)
    async def test_a_key_leads_nowhere_else(self, blobs: Blobs, key: str) -> None:
        with pytest.raises(InvalidInput) as error:
            await blobs.put(key, stream(b"x"))
        assert error.value.code == "bad-blob-key"
        with pytest.raises(InvalidInput):
            await blobs.append(key, 0, b"x")
        with pytest.raises(InvalidInput):
            blobs.path(key)

    async def test_a_file_if_there_is_one_holds_the_content(self, blobs: Blobs) -> None:
        await blobs.put("a/b", stream(b"content"))
        path = blobs.path("a/b")
        assert path is None or path.read_bytes() == b"content"
