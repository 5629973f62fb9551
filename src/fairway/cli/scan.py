"""`fairway scan`: what is in an image, and what is known against it."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from fairway.cli import output
from fairway.cli.session import Session, connected
from fairway.cli.text import clean
from fairway.client.wire.scan import AdvisoryPart, Report, ScanRequest, Taken
from fairway.client.wire.system import System
from fairway.model.errors import BadFile

_PART_BYTES: Final = 700_000
_PART: Final = 1000
_SHOWN: Final = 50


class _Scan(click.Group):
    """`fairway scan IMAGE` is `fairway scan show IMAGE`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands:
            args = ["show", *args]
        return super().resolve_command(ctx, args)


@click.group("scan", cls=_Scan)
def scan() -> None:
    """`fairway scan IMAGE` tells what is known against an image of our registry.

    It is a report, never a verdict: with advisories missing or old it says "unknown".
    """


@scan.command("show")
@click.argument("image", metavar="IMAGE[:TAG|@DIGEST]|DIGEST")
@click.option("--sbom", is_flag=True, help="Print the CycloneDX document instead.")
@output.format_option
@connected
def show(session: Session, image: str, *, sbom: bool, output: str) -> None:
    """Scan IMAGE, unless that was done, and tell what is known."""
    report = _report(session, image)
    if sbom:
        click.echo(session.api.send("GET", f"/scans/{report.digest}/sbom").content)
        return
    _print(report, output)


def _report(session: Session, image: str) -> Report:
    if image.startswith("sha256:"):
        return session.api.get(f"/scans/{image}", Report)
    host = session.api.get("/system", System).registry
    name, at, reference = image.removeprefix(f"{host}/").partition("@")
    if not at:
        head, slash, last = name.rpartition("/")
        last, _, reference = last.partition(":")
        name = f"{head}{slash}{last}"
    data = ScanRequest(image=name, reference=reference or "latest")
    return session.api.post("/scans", data, Report, timeout_s=600)


def _print(report: Report, form: str) -> None:
    lines = [
        f"{report.image}@{report.digest}",
        f"{report.packages} packages; vulnerabilities: {report.knowledge}"
        + (f" ({len(report.vulnerabilities)})" if report.vulnerabilities else ""),
        *(f"not known: {gap}" for gap in report.gaps),
    ]
    for one in report.vulnerabilities[:_SHOWN]:
        fixed = f"fixed in {one.fixed}" if one.fixed else "not fixed"
        lines.append(
            f"  {one.name}  {one.package} {one.version}  {one.severity}  {fixed}  {one.summary}"
        )
    if len(report.vulnerabilities) > _SHOWN:
        lines.append(f"  and {len(report.vulnerabilities) - _SHOWN} more: -o json has them all")
    human = "\n".join(clean(line) for line in lines)
    output.emit_one("report", report, form, name=report.digest, human=human)


@scan.command("import")
@click.argument("path", type=click.Path(exists=True, path_type=Path))
@connected
def import_records(session: Session, path: Path) -> None:
    """Import OSV records: a zip as osv.dev publishes it, a folder, or one JSON file.

    The import stands for the whole of each ecosystem that it holds, as of now.
    """
    seen: Counter[str] = Counter()
    taken = 0
    for part in _parts(_records(path)):
        for record in part:
            seen.update(_ecosystems(record))
        data = AdvisoryPart(records=part)
        taken += session.api.post("/advisories", data, Taken, timeout_s=120).advisories
    done = {name: count for name, count in seen.items() if name.partition(":")[0] in _KNOWN}
    session.api.post("/advisories", AdvisoryPart(done=done), Taken)
    told = ", ".join(f"{name}: {count} records" for name, count in sorted(done.items()))
    output.say(f"{taken} advisories taken ({told or 'none of an ecosystem that is scanned'})")


_KNOWN: Final = ("Debian", "PyPI", "Go")


def _ecosystems(record: Any) -> set[str]:
    affected = record.get("affected", ()) if isinstance(record, dict) else ()
    names = (one.get("package", {}).get("ecosystem", "") for one in affected)
    return {name for name in names if name}


def _records(path: Path) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for file in sorted(path.rglob("*.json")):
            yield str(file), file.read_bytes()
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".json"):
                    yield f"{path}:{name}", archive.read(name)
    else:
        yield str(path), path.read_bytes()


def _parts(records: Iterator[tuple[str, bytes]]) -> Iterator[list[Any]]:
    part: list[Any] = []
    size = 0
    for where, data in records:
        try:
            record = json.loads(data)
        except ValueError as error:
            raise BadFile(f"this is no JSON: {error}", where=where) from error
        if part and (size + len(data) > _PART_BYTES or len(part) >= _PART):
            yield part
            part, size = [], 0
        part.append(record)
        size += len(data)
    if part:
        yield part
