"""A file of several documents, cut as Drone cuts it, and what kind each is.

The cut is by lines, before any YAML is read: a line that begins with `---` starts a new document
even inside a block of text, a line that begins with `...` ends the file. Anchors therefore do not
cross documents.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from fairway.kit.yaml import Limits, Node, bad, compose, entries
from fairway.model.errors import BadFile

KINDS: Final = ("pipeline", "secret", "signature", "template", "cron", "registry")
MAX_DOCUMENTS: Final = 1_000


class Part(Struct, frozen=True):
    """A piece of the file, and the number of its first line."""

    text: str
    line: int


class Document(Struct, frozen=True, kw_only=True):
    """One document with its kind, type and name. A missing type of a pipeline is `docker`."""

    kind: str
    type: str
    name: str
    node: Node
    part: Part


def cut(text: str) -> list[Part]:
    """The parts of a file. A leading part of comments only is dropped; Drone refuses it."""
    parts: list[Part] = []
    lines: list[str] = []
    first = 1
    begun = False
    for number, line in enumerate(text.removeprefix("\ufeff").removesuffix("\n").split("\n"), 1):
        bare = line.removesuffix("\r")
        if bare.startswith("..."):
            break
        if bare.startswith("---"):
            if begun or _holds_data(lines):
                parts.append(Part("\n".join([*lines, ""]), first))
            lines, first, begun = [], number + 1, True
        else:
            lines.append(bare)
    if begun or lines != [""]:
        parts.append(Part("\n".join([*lines, ""]), first))
    return parts


def _holds_data(lines: list[str]) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in lines)


def read(text: str, *, name: str, limits: Limits | None = None) -> list[Document]:
    """All documents of a file. Raises `BadFile` for what is not YAML, and for a missing kind.

    The documents share the limit of nodes.
    """
    limits = limits or Limits()
    if len(text) > limits.size_bytes:
        message = f"the file is larger than {limits.size_bytes} bytes"
        raise BadFile(message, where=name, code="yaml-too-large")
    parts = cut(text)
    if len(parts) > MAX_DOCUMENTS:
        message = f"the file has more than {MAX_DOCUMENTS} documents"
        raise BadFile(message, where=name, code="yaml-too-large")
    if not parts:
        raise _kindless(name, 1)
    found: list[Document] = []
    for part in parts:
        document = read_part(part, name=name, limits=limits)
        limits = replace(limits, nodes=max(1, limits.nodes - document.node.weight))
        found.append(document)
    return found


def read_part(part: Part, *, name: str, limits: Limits | None = None) -> Document:
    """One document of a file. Raises `BadFile`."""
    node = compose(part.text, name=name, first_line=part.line, limits=limits)
    if node is None or node.is_null:
        raise _kindless(name, part.line)
    if node.kind != "map":
        raise bad("a document must be a map of keys", node, name=name, code="not-a-map")
    found = entries(node, name=name)
    kind = _word(found, "kind", name)
    if not kind:
        raise _kindless(name, node.line)
    kind_type = _word(found, "type", name)
    title = _word(found, "name", name)
    if kind == "pipeline":
        kind_type = kind_type or "docker"
        title = title or "default"
    return Document(kind=kind, type=kind_type, name=title, node=node, part=part)


def _kindless(name: str, line: int) -> BadFile:
    return BadFile(
        "missing kind",
        where=f"{name}:{line}:1",
        code="missing-kind",
        remedy="Begin every document with `kind: pipeline` (or secret, signature, template).",
    )


def _word(found: dict[str, tuple[Node, Node]], key: str, name: str) -> str:
    if key not in found:
        return ""
    node = found[key][1]
    if node.kind != "scalar":
        raise bad(f"`{key}` must be a word", node, name=name, code="wrong-type")
    return "" if node.is_null else node.text
