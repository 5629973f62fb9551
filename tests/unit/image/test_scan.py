"""What is in an image: read from its layers, whatever they hold."""

from __future__ import annotations

import contextlib
import gzip
import importlib
import io
import json
import random
import shutil
import struct
import subprocess
import tarfile
from collections.abc import Mapping

import pytest

from fairway.image.scan import cyclonedx, elf, layers, osv, readers, versions
from fairway.image.scan.layers import Layer
from fairway.image.scan.package import Ecosystem, Inventory, Package
from fairway.model.errors import InvalidInput
from fairway.model.scan import Advisory
from fairway.model.scan import Event as Step

STATUS = """\
Package: libssl3
Status: install ok installed
Architecture: amd64
Source: openssl (3.0.11-1~deb12u1)
Version: 3.0.11-1~deb12u2
Description: TLS
 a second line: of the description

Package: gone
Status: deinstall ok config-files
Version: 1.0

Package: bash
Status: install ok installed
Version: 5.2.15-2+b2
"""
OS = 'ID=debian\nVERSION_ID="12"\n'
METADATA = "Metadata-Version: 2.1\nName: Flask_Thing\nVersion: 2.0.1\n\nName: not this\n"


def layer(files: Mapping[str, bytes | str], *, packed: bool = True, mode: int = 0o644) -> Layer:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(data), mode
            archive.addfile(info, io.BytesIO(data))
    data = made.getvalue()
    return Layer("sha256:x", io.BytesIO(gzip.compress(data) if packed else data))


def names(found: Inventory) -> list[str]:
    return [f"{one.name} {one.version}" for one in found.packages]


def executable(version: str = "go1.22.3", *, lines: str = "") -> bytes:
    """A 64-bit ELF file with nothing but Go's build information in it."""
    text = "mod\texample.com/app\tv1.2.3\th1:x\ndep\tgolang.org/x/text\tv0.3.0\th1:y\n" + lines

    def string(data: bytes) -> bytes:
        length, head = len(data), b""
        while length > 127:
            head, length = head + bytes([length & 0x7F | 0x80]), length >> 7
        return head + bytes([length]) + data

    body = b"\xff Go buildinf:" + bytes([8, 2]) + bytes(16)
    body += string(version.encode()) + string(b"<" * 16 + text.encode() + b">" * 16)
    words = b"\0.go.buildinfo\0.shstrtab\0"
    head = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    offset = 64 + len(body) + len(words)
    head += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 0, offset, 0, 64, 0, 0, 64, 3, 2)

    def section(name: int, at: int, size: int) -> bytes:
        return struct.pack("<IIQQQQIIQQ", name, 1, 0, 0, at, size, 0, 0, 1, 0)

    table = bytes(64) + section(1, 64, len(body)) + section(15, 64 + len(body), len(words))
    return (head + body + words + table).ljust(8192, b"\0")


def test_packages_of_debian_python_and_go_are_found() -> None:
    found = layers.inventory(
        [
            layer({"var/lib/dpkg/status": STATUS, "etc/os-release": OS}),
            layer({"./usr/lib/python3/site-packages/x-2.dist-info/METADATA": METADATA}),
            layer({"app/server": executable()}, mode=0o755, packed=False),
        ]
    )
    assert names(found) == [
        "bash 5.2.15-2+b2", "libssl3 3.0.11-1~deb12u2", "example.com/app v1.2.3",
        "golang.org/x/text v0.3.0", "stdlib v1.22.3", "Flask_Thing 2.0.1",
    ]  # fmt: skip
    assert (found.release, found.problems) == ("12", ())
    assert found.packages[1].source_version == "3.0.11-1~deb12u1"
    assert layers.ecosystems(found) == ["Debian:12", "Go", "PyPI"]


def test_a_later_layers_whiteouts_take_away_what_earlier_ones_brought() -> None:
    base = {"var/lib/dpkg/status": STATUS, "a/x.dist-info/METADATA": METADATA}
    assert names(layers.inventory([layer(base), layer({"var/lib/dpkg/.wh.status": ""})])) == [
        "Flask_Thing 2.0.1"
    ]
    assert len(layers.inventory([layer(base), layer({"a/.wh..wh..opq": ""})]).packages) == 2
    assert names(layers.inventory([layer(base), layer({".wh.var": "", ".wh.a": ""})])) == []
    own = layer({"a/y.dist-info/METADATA": METADATA.replace("2.0.1", "3"), "a/.wh..wh..opq": ""})
    assert "Flask_Thing 3" in names(layers.inventory([layer(base), own]))


def test_a_file_replaced_by_a_later_layer_counts_as_the_later_one_says() -> None:
    newer = STATUS.replace("5.2.15-2+b2", "5.3")
    found = layers.inventory(
        [layer({"var/lib/dpkg/status": STATUS}), layer({"var/lib/dpkg/status": newer})]
    )
    assert "bash 5.3" in names(found)
    assert "bash 5.2.15-2+b2" not in names(found)


def test_a_replaced_module_is_the_one_that_is_linked() -> None:
    lines = "dep\ta.example/x\tv1.0.0\n=>\tb.example/y\tv2.0.0\th1:z\ndep\tc.example/w\t(devel)\n"
    made = [f"{one.name} {one.version}" for one in readers.modules(lines, "f")]
    assert made == ["b.example/y v2.0.0"]


@pytest.mark.parametrize(
    "data",
    [b"", b"\x1f\x8bnot gzip at all", b"\x28\xb5\x2f\xfdzstd", gzip.compress(b"x" * 5000)],
    ids=["empty", "broken gzip", "zstd", "no tar"],
)
def test_a_layer_that_cannot_be_read_is_a_problem_and_no_error(data: bytes) -> None:
    found = layers.inventory(
        [Layer("sha256:bad", io.BytesIO(data)), layer({"var/lib/dpkg/status": STATUS})]
    )
    assert len(found.packages) == 2
    assert [p for p in found.problems if "sha256:bad" in p] or data == b""


def test_a_layer_cut_in_the_middle_is_a_problem() -> None:
    whole = layer({"var/lib/dpkg/status": STATUS, "big": b"y" * 100_000}).file.read()
    found = layers.inventory([Layer("sha256:cut", io.BytesIO(whole[: len(whole) // 2]))])
    assert found.problems


def test_a_layer_that_unpacks_without_end_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layers, "_LAYER_BYTES", 50_000)
    found = layers.inventory([layer({"zeros": bytes(1_000_000)})])
    assert "more than we read" in found.problems[0]


@pytest.mark.parametrize("seed", range(30))
def test_hostile_executables_are_no_go_and_break_nothing(seed: int) -> None:
    source = random.Random(seed)
    data = bytearray(executable())
    for _ in range(source.randrange(1, 30)):
        data[source.randrange(len(data) if source.random() < 0.3 else 400)] = source.randrange(256)
    with contextlib.suppress(elf.NotGo):
        elf.build_information(io.BytesIO(bytes(data)))


def test_the_bill_of_materials_is_valid_cyclonedx_and_the_same_each_time() -> None:
    found = layers.inventory(
        [
            layer({"var/lib/dpkg/status": STATUS, "x.dist-info/METADATA": METADATA}),
            layer({"app": executable()}, mode=0o755),
            Layer("sha256:bad", io.BytesIO(b"\x28\xb5")),
        ]
    )
    digest = "sha256:" + "ab" * 32
    document = cyclonedx.document("webflix/catalogue", digest, found)
    # Here, as what it imports takes two seconds in each process that only collects the tests.
    validation = importlib.import_module("cyclonedx.validation.json")
    schema = importlib.import_module("cyclonedx.schema")
    validator = validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    assert validator.validate_str(document.decode()) is None
    assert document == cyclonedx.document("webflix/catalogue", digest, found)
    purls = [one["purl"] for one in json.loads(document)["components"]]
    assert "pkg:deb/debian/libssl3@3.0.11-1~deb12u2?arch=amd64" in purls
    assert "pkg:golang/golang.org/x/text@v0.3.0" in purls
    assert "pkg:pypi/flask-thing@2.0.1" in purls


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not installed")
def test_debian_versions_are_ordered_as_dpkg_orders_them() -> None:
    source = random.Random(7)
    known = ["1.0", "1.0-1", "1.0~rc1-1", "1:0.5", "1.0+dfsg-1", "1.0-1~deb12u1", "1.0a", "1.00"]
    known += [
        "".join(source.choices("0123456789.ab~+", k=source.randrange(1, 7))) for _ in range(12)
    ]
    texts = [text if text[0].isdigit() else f"0{text}" for text in known]
    script = "".join(
        f"dpkg --compare-versions '{a}' lt '{b}' && echo 1 || echo 0\n"
        for a in texts
        for b in texts
    )
    done = subprocess.run(["sh"], input=script, capture_output=True, text=True, check=True)
    said = [line == "1" for line in done.stdout.split()]
    key = {text: versions.key(Ecosystem.DEBIAN, text) for text in texts}
    assert said == [key[a] < key[b] for a in texts for b in texts]


def advisory(ecosystem: str, *steps: tuple[str, str], exact: tuple[str, ...] = ()) -> Advisory:
    return Advisory(
        name="X-1",
        ecosystem=ecosystem,
        package="p",
        versions=exact,
        ranges=(tuple(Step(*step) for step in steps),) if steps else (),
    )


@pytest.mark.parametrize(
    ("ecosystem", "version", "steps", "hit", "fixed"),
    [
        (Ecosystem.PYPI, "1.9", [("introduced", "0"), ("fixed", "2.0")], True, "2.0"),
        (Ecosystem.PYPI, "2.0", [("introduced", "0"), ("fixed", "2.0")], False, ""),
        (Ecosystem.PYPI, "2.0rc1", [("introduced", "0"), ("fixed", "2.0")], True, "2.0"),
        (Ecosystem.PYPI, "1.0", [("introduced", "1.5"), ("fixed", "2.0")], False, "2.0"),
        (Ecosystem.PYPI, "3", [("introduced", "0"), ("last_affected", "3")], True, ""),
        (Ecosystem.PYPI, "3.1", [("introduced", "0"), ("last_affected", "3")], False, ""),
        (
            Ecosystem.PYPI,
            "4.5",
            [("fixed", "5"), ("introduced", "4"), ("fixed", "2"), ("introduced", "0")],
            True,
            "5",
        ),
        (Ecosystem.GO, "v1.22.3", [("introduced", "1.22.0"), ("fixed", "1.22.4")], True, "1.22.4"),
        (Ecosystem.GO, "v1.22.4", [("introduced", "1.22.0"), ("fixed", "1.22.4")], False, ""),
        (
            Ecosystem.DEBIAN,
            "3.0.11-1~deb12u1",
            [("introduced", "0"), ("fixed", "3.0.11-1")],
            True,
            "3.0.11-1",
        ),
        (Ecosystem.DEBIAN, "1.0", [("introduced", "0")], True, ""),
    ],
)
def test_a_version_is_affected_as_the_records_ranges_say(
    ecosystem: Ecosystem, version: str, steps: list[tuple[str, str]], *, hit: bool, fixed: str
) -> None:
    assert osv.affects(ecosystem, advisory(str(ecosystem), *steps), version) == (hit, fixed)


def test_a_version_listed_by_name_is_affected_and_an_unreadable_one_is_said() -> None:
    one = advisory("PyPI", exact=("1.0",))
    assert osv.affects(Ecosystem.PYPI, one, "1.0") == (True, "")
    package = Package(ecosystem=Ecosystem.PYPI, name="p", version="not a version")
    found, gaps = osv.matched(Inventory(packages=(package,)), {("PyPI", "p"): [one]})
    assert found == []
    assert "not a version" in gaps[0]


RECORD = {
    "id": "OSV-1",
    "summary": "bad",
    "aliases": ["CVE-1"],
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "Flask.Thing"},
            "ranges": [
                {"type": "GIT", "events": [{"introduced": "0"}]},
                {"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.0.2"}]},
            ],
        },
        {"package": {"ecosystem": "npm", "name": "left-pad"}, "versions": ["1"]},
        {"package": {"ecosystem": "Debian:12", "name": "openssl"}, "versions": ["1"]},
    ],
}


def test_a_record_is_read_for_our_ecosystems_alone() -> None:
    found = osv.read(RECORD)
    assert [(one.ecosystem, one.package) for one in found] == [
        ("PyPI", "flask-thing"), ("Debian:12", "openssl"),
    ]  # fmt: skip
    assert len(found[0].ranges) == 1
    assert osv.read(RECORD | {"withdrawn": "2026-01-01"}) == []


@pytest.mark.parametrize(
    ("record", "where"),
    [
        ([], "id"),
        ({"affected": []}, "id"),
        ({"id": "A", "affected": [{"package": {"ecosystem": "Go"}}]}, "A.affected[0].package.name"),
        (
            {
                "id": "A",
                "affected": [
                    {
                        "package": {"ecosystem": "Go", "name": "x"},
                        "ranges": [{"type": "SEMVER", "events": ["0"]}],
                    }
                ],
            },
            "A.affected[0].ranges[0].events",
        ),
    ],
)
def test_a_record_that_is_none_is_refused_with_its_place(record: object, where: str) -> None:
    with pytest.raises(InvalidInput) as told:
        osv.read(record)
    assert told.value.where == where
