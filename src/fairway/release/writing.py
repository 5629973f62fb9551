"""What Fairway writes into Git: version and digest, in the service's chart and in the files that
say what an environment runs. Pure: from files to files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import yaml
from msgspec import Struct

from fairway.model.errors import BadFile, InvalidInput, NotFound
from fairway.model.release import TRAILER, Service
from fairway.release import edits

VALUES: Final = ("spec", "source", "helm", "valuesObject")
REVISION: Final = ("spec", "source", "targetRevision")
_SUFFIXES: Final = (".yaml", ".yml")

Files = Mapping[str, bytes]


class Message(Struct, frozen=True, kw_only=True):
    """What a commit of ours says. `kind`: release, promotion, rollback, revert."""

    delivery: str
    service: str
    kind: str
    version: str
    digest: str
    environment: str = ""
    actor: str = ""
    why: str = ""

    def text(self) -> str:
        """Subject, reason and trailers."""
        subject = f"{_SUBJECTS[self.kind]} {self.service} {self.version}"
        if self.environment:
            subject += f" in {self.environment}"
        body = f"\n\n{self.why}" if self.why else ""
        where = f" {self.environment}" if self.environment else ""
        trailers = [
            f"{TRAILER}: {self.delivery}/{self.service} {self.kind} {self.version}{where}",
            f"Fairway-Digest: {self.digest}",
        ]
        if self.actor:
            trailers.append(f"Fairway-Actor: {self.actor}")
        return subject + body + "\n\n" + "\n".join(trailers) + "\n"


_SUBJECTS: Final = {
    "release": "Release",
    "promotion": "Promote",
    "rollback": "Roll back to",
    "revert": "Go back to",
}


def chart_files(files: Files, service: Service, *, version: str, digest: str) -> dict[str, bytes]:
    """The chart's files that change: Chart.yaml and values.yaml. `files`: the chart's folder.

    Raises `InvalidInput` (code `no-chart`), `BadFile`.
    """
    if "Chart.yaml" not in files:
        raise InvalidInput(
            f"there is no Chart.yaml in {service.chart} of {service.repository}",
            code="no-chart",
            where=f"{service.chart}/Chart.yaml",
            remedy="commit the service's chart, or name its folder in the Delivery",
        )
    chart: dict[edits.Path, str] = {("version",): version, ("appVersion",): version}
    values: dict[edits.Path, str] = {tuple(service.digest_value.split(".")): digest}
    made = {
        "Chart.yaml": _edited(files["Chart.yaml"], chart, f"{service.chart}/Chart.yaml"),
        "values.yaml": _edited(
            files.get("values.yaml", b""), values, f"{service.chart}/values.yaml"
        ),
    }
    return {name: data for name, data in made.items() if files.get(name) != data}


def _edited(data: bytes, values: Mapping[edits.Path, str], where: str) -> bytes:
    text = _text(data, where)
    documents = edits.nodes(text, where)
    if not documents:
        made = "".join(_nested(path, new) for path, new in values.items())
        return (text + ("\n" if text and not text.endswith("\n") else "") + made).encode()
    return edits.replaced(text, documents[0], values, where=where).encode()


def _nested(path: edits.Path, new: str) -> str:
    lines = [f"{'  ' * at}{key}:" for at, key in enumerate(path)]
    return "\n".join(lines) + f" {edits.quoted(new)}\n"


def _text(data: bytes, where: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadFile(
            f"it is not UTF-8 (byte {error.start})", code="config-not-utf-8", where=where
        ) from None


class Place(Struct, frozen=True, kw_only=True):
    """The document of Git that says what an environment runs of a service.

    `name` is the Application's; `revision` a version or a range; `digest` what is deployed.
    """

    file: str
    index: int
    name: str
    repo_url: str
    chart: str
    revision: str
    digest: str
    values: dict[str, Any]
    release_name: str = ""
    namespace: str = ""


def find(files: Files, service: Service, application: str, *, chart: str) -> Place:
    """The Application of that name among an environment's files (by path).

    Raises `NotFound` (code `no-configuration`) and `BadFile`.
    """
    for file, data in sorted(files.items()):
        if not file.endswith(_SUFFIXES):
            continue
        text = _text(data, file)
        for index, node in enumerate(edits.nodes(text, file)):
            if edits.value(node, ("kind",)) != "Application":
                continue
            if edits.value(node, ("metadata", "name")) == application:
                return _place(file, index, text, service=service, chart=chart)
    raise NotFound(
        f"no Application {application} is in {', '.join(sorted(files)) or 'an empty folder'}",
        code="no-configuration",
        remedy=f"commit an Application {application} whose source is the chart {chart}",
    )


def _place(file: str, index: int, text: str, *, service: Service, chart: str) -> Place:
    found = [one for one in yaml.safe_load_all(text) if one is not None][index]
    spec = found.get("spec") or {}
    source = spec.get("source") or {}
    if source.get("chart") != chart:
        raise BadFile(
            f"spec.source.chart is {source.get('chart')!r}, not {chart!r}",
            code="wrong-chart",
            where=file,
            remedy=f"have the Application take the chart of {service.name} from the environment's"
            " part of the registry",
        )
    helm = source.get("helm") or {}
    values = helm.get("valuesObject") or {}
    return Place(
        file=file,
        index=index,
        name=found["metadata"]["name"],
        repo_url=str(source.get("repoURL", "")),
        chart=chart,
        revision=str(source.get("targetRevision", "")),
        digest=str(looked_up(values, service.digest_value) or ""),
        values=values if isinstance(values, dict) else {},
        release_name=str(helm.get("releaseName") or found["metadata"]["name"]),
        namespace=str((spec.get("destination") or {}).get("namespace", "")),
    )


def looked_up(values: Any, path: str) -> Any:
    """What stands at a dotted path, or None."""
    for part in path.split("."):
        if not isinstance(values, dict):
            return None
        values = values.get(part)
    return values


def with_value(values: Mapping[str, Any], path: str, new: str) -> dict[str, Any]:
    """Values with one more at a dotted path."""
    head, _, rest = path.partition(".")
    below = values.get(head)
    inner = with_value(below if isinstance(below, dict) else {}, rest, new) if rest else new
    return {**values, head: inner}


def environment_files(
    files: Files, place: Place, service: Service, *, revision: str, digest: str
) -> dict[str, bytes]:
    """The files that change so that an environment runs this. `digest` "": as the chart says."""
    text = _text(files[place.file], place.file)
    node = edits.nodes(text, place.file)[place.index]
    wanted: dict[edits.Path, str] = {REVISION: revision}
    if digest:
        wanted[(*VALUES, *service.digest_value.split("."))] = digest
    made = edits.replaced(text, node, wanted, where=place.file).encode()
    return {} if made == files[place.file] else {place.file: made}
