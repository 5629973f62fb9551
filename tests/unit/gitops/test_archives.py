"""Charts' archives as trees of files."""

from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from fairway.gitops.sources.archives import unpacked
from fairway.model.errors import InvalidInput

CHART = {
    "web/Chart.yaml": b"name: web",
    "web/templates/a.yaml": b"x",
    "web/charts/b/Chart.yaml": b"",
}


def packed(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return data.getvalue()


async def test_the_files_of_a_chart_are_below_its_own_folder() -> None:
    tree = unpacked(packed(CHART), "web")
    assert [one.path for one in await tree.below("")] == [
        "Chart.yaml",
        "charts/b/Chart.yaml",
        "templates/a.yaml",
    ]
    found = await tree.entries(["", "templates", "Chart.yaml", "nothing"])
    assert {path: one.kind for path, one in found.items()} == {
        "": "folder",
        "templates": "folder",
        "Chart.yaml": "file",
    }
    assert await tree.blobs([found["Chart.yaml"].sha]) == {found["Chart.yaml"].sha: b"name: web"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not an archive",
        gzip.compress(b"not a tar"),
        packed({"web/values.yaml": b""}),
        packed({**CHART, "../outside": b""}),
        packed({**CHART, "/etc/passwd": b""}),
        packed({**CHART, "web/../../x": b""}),
        packed(CHART)[:-40],
    ],
    ids=["empty", "text", "no tar", "no chart", "above", "absolute", "by a detour", "cut off"],
)
def test_what_is_no_charts_archive_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        unpacked(data, "registry.example.org/web:1")
    assert caught.value.code == "bad-chart"
    assert "registry.example.org/web:1" in str(caught.value)
