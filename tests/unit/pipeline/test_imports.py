"""What a Jsonnet file imports is found without evaluating it."""

from __future__ import annotations

from fairway.pipeline.imports import gather

FILES = {
    "ci/lib/a.libsonnet": "local b = import '../b.jsonnet'; (importstr \"data.txt\") + b",
    "ci/b.jsonnet": "import 'main.jsonnet'",
    "ci/lib/data.txt": "import 'not-a-program'",
    "top.libsonnet": "{}",
    "ci/one": "1",
    "ci/two": "2",
}


async def found(text: str, name: str = "ci/main.jsonnet") -> tuple[dict[str, str], list[str]]:
    asked: list[str] = []

    async def read(path: str) -> str | None:
        asked.append(path)
        return FILES.get(path)

    return await gather(name, text, read), asked


async def test_imports_are_followed_beside_the_file_that_imports() -> None:
    made, _asked = await found(
        "local a = import 'lib/a.libsonnet', t = import '../top.libsonnet'; a"
    )
    assert set(made) == {"ci/lib/a.libsonnet", "ci/b.jsonnet", "ci/lib/data.txt", "top.libsonnet"}


async def test_all_ways_to_write_an_import_are_seen() -> None:
    made, asked = await found(
        "import 'one'\n + importstr \"two\" + importbin @'three' + (import('four'))"
    )
    assert set(made) == {"ci/one", "ci/two"}
    assert set(asked) == {"ci/one", "ci/two", "ci/three", "ci/four"}


async def test_what_is_outside_is_never_asked_for() -> None:
    _made, asked = await found("[import '/etc/passwd', import '../../x', import '..', import '']")
    assert asked == []


async def test_a_file_without_imports_reads_nothing() -> None:
    assert await found("{ important: 'import' }") == ({}, [])


async def test_there_is_an_end_to_imports() -> None:
    async def read(path: str) -> str | None:
        return f"import '{path}x.libsonnet'"

    assert len(await gather("a.jsonnet", "import 'a.libsonnet'", read)) == 100
