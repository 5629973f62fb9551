"""`x-fairway`: our own keys. An unknown key or value is an error with its path here."""

from __future__ import annotations

import re
from typing import Final

from fairway.kit import goduration
from fairway.kit.yaml import Node
from fairway.pipeline.compile.config import Extension
from fairway.pipeline.compile.fields import Fields
from fairway.pipeline.compile.finding import Findings
from fairway.pipeline.graph import Ready, Reports, Retry

_DURATION: Final = re.compile(r"(?:[0-9]+h)?(?:[0-9]+m)?(?:[0-9]+(?:\.[0-9]+)?s)?\Z")
_STEP_KEYS: Final = ("ready", "retry", "timeout", "reports")
_PROBES: Final = ("healthcheck", "tcp", "http", "command")
_OUTCOMES: Final = ("failed", "errored")
_STEP_LISTS: Final = ("steps", "services")
_FREE: Final = ("x-fairway", "settings", "environment", "node")  # names are the author's own there
_LONGEST_S: Final = 7 * 24 * 3600.0
_MOST_RETRIES: Final = 10


def step_extension(parent: Fields, *, service: bool) -> Extension:
    """`x-fairway` of a step or service."""
    fields = parent.section("x-fairway")
    if fields is None:
        return Extension()
    _only(fields, _STEP_KEYS)
    ready = _ready(fields)
    if ready is not None and not (service or parent.flag("detach")):
        _refuse(fields, "ready", "only a service or a detached step can be waited for")
    return Extension(
        ready=ready,
        retry=_retry(fields),
        timeout_s=duration(fields, "timeout"),
        reports=_reports(fields),
    )


def pipeline_timeout(parent: Fields) -> float | None:
    """`x-fairway` of a pipeline, which holds a `timeout` and nothing else."""
    fields = parent.section("x-fairway")
    if fields is None:
        return None
    _only(fields, ("timeout",))
    return duration(fields, "timeout")


def refuse_misplaced(document: Node, findings: Findings) -> None:
    """Note `x-fairway` keys in places that have none, such as `clone` or `trigger`."""
    todo: list[tuple[Node, str]] = []
    for key, value in _pairs(document):
        if key.text in _STEP_LISTS and value.kind == "list":
            for number, step in enumerate(value.items):
                path = f"{key.text}[{number}]"
                todo += [
                    (below, f"{path}.{name.text}")
                    for name, below in _pairs(step)
                    if name.text not in _FREE
                ]
        elif key.text not in _FREE:
            todo.append((value, key.text))
    while todo:
        node, path = todo.pop()
        todo += [(item, path) for item in node.items]
        for key, value in _pairs(node):
            here = f"{path}.{key.text}"
            if key.kind == "scalar" and key.text.startswith("x-fairway"):
                message = f"'{key.text}' belongs to a pipeline, step or service, not here"
                findings.error(message, key, code="unknown-field", path=here)
            else:
                todo.append((value, here))


def _pairs(node: Node) -> list[tuple[Node, Node]]:
    return node.pairs if node.kind == "map" else []


def refuse_elsewhere(parent: Fields, known: tuple[str, ...]) -> None:
    """Note every `x-fairway...` key other than `x-fairway` itself: a typing mistake of ours."""
    for key, (node, _value) in parent.found.items():
        if key.startswith("x-fairway") and key not in known:
            parent.findings.error(
                f"unknown key '{key}'", node, code="unknown-field", path=parent.sub(key)
            )


def _only(fields: Fields, known: tuple[str, ...]) -> None:
    for key, (node, _value) in fields.found.items():
        if key not in known:
            fields.findings.error(
                f"unknown key '{key}'",
                node,
                code="unknown-field",
                path=fields.sub(key),
                remedy=f"Known here: {', '.join(known)}.",
            )


def _refuse(fields: Fields, key: str, why: str) -> None:
    node = fields.raw(key) or fields.place(key)
    fields.findings.error(why, node, code="bad-value", path=fields.sub(key))


def duration(fields: Fields, key: str) -> float | None:
    """`90s`, `10m`, `1h30m` or a number of seconds; None when absent."""
    node = fields.raw(key)
    if node is None:
        return None
    seconds = _seconds(node)
    if seconds is None or not 0 < seconds <= _LONGEST_S:
        _refuse(
            fields, key, "must be a duration such as 90s, 10m or 1h30m, above 0 and at most 7 days"
        )
        return None
    return seconds


def _seconds(node: Node) -> float | None:
    if node.kind != "scalar":
        return None
    if re.fullmatch(r"\d{1,9}(\.\d{1,6})?", node.text):
        return float(node.text)
    if not 0 < len(node.text) < 20 or not _DURATION.match(node.text):
        return None
    try:
        return goduration.seconds(node.text)
    except ValueError:  # longer than there are numbers for
        return None


def _ready(fields: Fields) -> Ready | None:
    node = fields.raw("ready")
    if node is None:
        return None
    if node.kind == "scalar":
        if node.text != "healthcheck":
            _refuse(fields, "ready", "must be `healthcheck` or a map with a probe")
        return Ready(kind="healthcheck")
    probe = Fields(node, fields.sub("ready"), fields.findings)
    _only(probe, (*_PROBES, "interval", "timeout"))
    kinds = [kind for kind in _PROBES if kind in probe.found]
    if len(kinds) != 1:
        _refuse(fields, "ready", f"must hold exactly one of {', '.join(_PROBES)}")
        return None
    kind = kinds[0]
    port, path = _target(probe, kind)
    command = (probe.texts("command") or ()) if kind == "command" else ()
    if kind == "command" and not command:
        _refuse(probe, "command", "must be a list of at least one word")
    if kind == "healthcheck" and not probe.flag("healthcheck"):
        _refuse(probe, "healthcheck", "can only be true")
    return Ready(
        kind=kind,
        port=port,
        path=path,
        command=command,
        interval_s=duration(probe, "interval") or 1.0,
        timeout_s=duration(probe, "timeout") or 60.0,
    )


def _target(probe: Fields, kind: str) -> tuple[int, str]:
    """The port and path of a `tcp` or `http` probe; `http` is a port or a map of both."""
    node = probe.raw(kind)
    if kind not in {"tcp", "http"}:
        return 0, "/"
    path = "/"
    fields, key = probe, kind
    if kind == "http" and node is not None and node.kind == "map":
        fields, key = Fields(node, probe.sub(kind), probe.findings), "port"
        _only(fields, ("port", "path"))
        path = fields.text("path") or "/"
    port = fields.whole(key)
    if not 0 < port < 65536:
        _refuse(fields, key, "must be a port from 1 to 65535")
    if not path.startswith("/"):
        _refuse(fields, "path", "must begin with /")
    return port, path


def _retry(fields: Fields) -> Retry:
    node = fields.raw("retry")
    if node is None:
        return Retry()
    if node.kind == "scalar":
        return Retry(limit=_limit(fields, "retry"))
    retry = Fields(node, fields.sub("retry"), fields.findings)
    _only(retry, ("limit", "delay", "on"))
    outcomes = retry.texts("on")
    if outcomes is not None and (not outcomes or set(outcomes) - set(_OUTCOMES)):
        _refuse(retry, "on", f"must be a list of {' and '.join(_OUTCOMES)}")
        outcomes = None
    return Retry(
        limit=_limit(retry, "limit"),
        delay_s=duration(retry, "delay") or 0.0,
        on=_OUTCOMES if outcomes is None else outcomes,
    )


def _limit(fields: Fields, key: str) -> int:
    limit = fields.whole(key)
    if not 0 <= limit <= _MOST_RETRIES or fields.raw(key) is None:
        _refuse(fields, key, f"must be a number of retries from 0 to {_MOST_RETRIES}")
        return 0
    return limit


def _reports(fields: Fields) -> Reports | None:
    reports = fields.section("reports")
    if reports is None:
        return None
    _only(reports, ("junit", "cobertura", "lcov", "min_coverage"))
    found = Reports(
        junit=_paths(reports, "junit"),
        cobertura=_paths(reports, "cobertura"),
        lcov=_paths(reports, "lcov"),
        min_coverage=_percent(reports, "min_coverage"),
    )
    if found.min_coverage is not None and not (found.cobertura or found.lcov):
        _refuse(reports, "min_coverage", "needs a cobertura or lcov report")
    if not (found.junit or found.cobertura or found.lcov):
        _refuse(fields, "reports", "names no report")
    return found


def _paths(fields: Fields, key: str) -> tuple[str, ...]:
    node = fields.raw(key)
    if node is None:
        return ()
    paths = (fields.text(key),) if node.kind == "scalar" else fields.texts(key) or ()
    for path in paths:
        if not path or path.startswith("/") or ".." in path.split("/") or "\0" in path:
            _refuse(fields, key, "must name files inside the workspace, by relative paths")
    return paths


def _percent(fields: Fields, key: str) -> float | None:
    node = fields.raw(key)
    if node is None:
        return None
    text = node.text.removesuffix("%") if node.kind == "scalar" else ""
    if not re.fullmatch(r"\d{1,3}(\.\d{1,6})?", text) or float(text) > 100:
        _refuse(fields, key, "must be a percentage from 0 to 100")
        return None
    return float(text)
