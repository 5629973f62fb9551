"""The handlebars templates of Drone's notification plugins: the documented subset.

Values (`{{build.status}}`, `{{{raw}}}`), comments, blocks with `{{else}}` (`success`, `failure`,
`if`, `unless`, `urlencode`), and helpers as functions of their arguments. What is unknown is an
error with its place, never silently empty; an unknown value is empty, as in the original.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote_plus

from msgspec import Struct

from fairway.kit import clock
from fairway.model.errors import InvalidInput
from fairway.pipeline.plugins import gotime

_TAG: Final = re.compile(
    r"\{\{!--.*?--\}\}|\{\{!.*?\}\}|\{\{\{(?P<raw>.*?)\}\}\}|\{\{~?(?P<tag>.*?)~?\}\}", re.DOTALL
)
_WORD: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|[^\s"\']+')
_DEPTH: Final = 50
_BAD: Final = ("failure", "error", "killed")
Context = Mapping[str, Any]


class _Text(Struct, frozen=True):
    text: str


class _Value(Struct, frozen=True):
    words: tuple[str, ...]
    raw: bool


class _Block(Struct, frozen=True):
    words: tuple[str, ...]
    body: tuple[Any, ...]
    other: tuple[Any, ...]


def render(template: str, context: Context) -> str:
    """The text, trimmed. Raises `InvalidInput` (`plugin-template`) for what is not understood."""
    return _Render(context).nodes(_Parser(template).parse()).strip()


def _bad(message: str) -> InvalidInput:
    return InvalidInput(f"the template: {message}", code="plugin-template")


class _Parser:
    """Template text to a tree of nodes."""

    def __init__(self, template: str) -> None:
        self._template = template
        self._marks = list(_TAG.finditer(template))
        self._next = 0
        self._at = 0

    def parse(self) -> tuple[Any, ...]:
        nodes, end = self._nodes(0)
        if end:
            raise _bad(f"{{{{{end}}}}} without its beginning")
        return nodes

    def _nodes(self, depth: int) -> tuple[tuple[Any, ...], str]:
        """Nodes up to the end, an `else` or a closing tag, and which of them it was."""
        if depth > _DEPTH:
            raise _bad("blocks are nested too deeply")
        nodes: list[Any] = []
        while self._next < len(self._marks):
            mark = self._marks[self._next]
            self._next += 1
            nodes.append(_Text(self._template[self._at : mark.start()]))
            self._at = mark.end()
            tag = (mark["tag"] or "").strip()
            if tag.startswith("/") or tag in ("else", "^"):
                return tuple(nodes), tag
            if tag.startswith(("#", "^")):
                nodes.append(self._block(tag, depth))
            elif tag.startswith((">", "&")) and tag[0] == ">":
                raise _bad(f"partials are not supported: {{{{{tag}}}}}")
            elif tag or mark["raw"]:
                words = tuple(_WORD.findall(tag.removeprefix("&") or mark["raw"]))
                nodes.append(_Value(words, raw=bool(mark["raw"]) or tag.startswith("&")))
        nodes.append(_Text(self._template[self._at :]))
        self._at = len(self._template)
        return tuple(nodes), ""

    def _block(self, tag: str, depth: int) -> _Block:
        words = tuple(_WORD.findall(tag[1:]))
        if not words:
            raise _bad("a block without a name")
        body, end = self._nodes(depth + 1)
        other: tuple[Any, ...] = ()
        if end in ("else", "^"):
            other, end = self._nodes(depth + 1)
        if end[1:].strip() != words[0]:
            raise _bad(f"{{{{#{words[0]}}}}} is not closed")
        if tag.startswith("^"):
            return _Block(("unless", *words), body, other)
        return _Block(words, body, other)


class _Render:
    """A tree of nodes to text."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def nodes(self, nodes: tuple[Any, ...]) -> str:
        return "".join(self._node(node) for node in nodes)

    def _node(self, node: Any) -> str:
        if isinstance(node, _Text):
            return node.text
        if isinstance(node, _Block):
            return self._block(node)
        value = self._value(node.words)
        return value if node.raw else html.escape(value)

    def _block(self, block: _Block) -> str:
        name, *words = block.words
        if name == "urlencode":
            return quote_plus(self.nodes(block.body))
        if name not in _CONDITIONS or len(words) != 1:
            raise _bad(f"there is no block {{{{#{' '.join(block.words)}}}}}")
        holds = _CONDITIONS[name](self._argument(words[0]))
        return self.nodes(block.body if holds else block.other)

    def _value(self, words: tuple[str, ...]) -> str:
        if not words:
            return ""
        name, *rest = words
        if not rest and name not in _HELPERS:
            return _shown(self._argument(name))
        if name not in _HELPERS:
            raise _bad(f"there is no helper '{name}'")
        try:
            return _shown(_HELPERS[name](*(self._argument(word) for word in rest)))
        except (TypeError, ValueError, re.error, OverflowError) as error:
            raise _bad(f"{{{{{' '.join(words)}}}}}: {error}") from error

    def _argument(self, word: str) -> Any:
        if word[0] in "\"'":
            return re.sub(r"\\(.)", r"\1", word[1:-1])
        if re.fullmatch(r"-?\d+", word):
            return int(word)
        if word in ("true", "false"):
            return word == "true"
        here: Any = self._context
        for part in word.split("."):
            if not isinstance(here, Mapping):
                return ""
            here = next((here[key] for key in here if key.lower() == part.lower()), "")
        return here


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None or isinstance(value, Mapping) else str(value)


def _truncate(text: object, length: int) -> str:
    text = str(text)
    if len(text) <= abs(length):
        return text
    return text[-length:] if length < 0 else text[:length]


def _regex_replace(pattern: str, text: str, replacement: str) -> str:
    return re.sub(pattern, re.sub(r"\$\{?(\w+)\}?", r"\\g<\1>", replacement), str(text)[:65536])


def _upper_first(text: object) -> str:
    return str(text)[:1].upper() + str(text)[1:]


_CONDITIONS: Final[dict[str, Callable[[Any], bool]]] = {
    "success": lambda value: value == "success",
    "failure": lambda value: value in _BAD,
    "if": bool,
    "unless": lambda value: not value,
}
_HELPERS: Final[dict[str, Callable[..., Any]]] = {
    "duration": lambda started, finished: gotime.duration(int(finished) - int(started)),
    "since": lambda start: gotime.duration(int(clock.seconds()) - int(start)),
    "datetime": lambda at, layout, zone="": gotime.moment(int(at), str(layout), str(zone)),
    "truncate": _truncate,
    "uppercase": lambda text: str(text).upper(),
    "upper": lambda text: str(text).upper(),
    "lowercase": lambda text: str(text).lower(),
    "lower": lambda text: str(text).lower(),
    "uppercasefirst": _upper_first,
    "regexReplace": _regex_replace,
    "trim": lambda text: str(text).strip(),
    "replace": lambda old, new, text: str(text).replace(str(old), str(new)),
    "default": lambda fallback, value: value or fallback,
    "trunc": lambda length, text: _truncate(text, int(length)),
    "trimPrefix": lambda prefix, text: str(text).removeprefix(str(prefix)),
    "trimSuffix": lambda suffix, text: str(text).removesuffix(str(suffix)),
}
