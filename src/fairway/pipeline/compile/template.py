"""`kind: template`: a document that loads a template of the organisation and gives it data.

Starlark is evaluated by a child of ours, YAML and Jsonnet by the context's renderer.
"""

from __future__ import annotations

from typing import Final

from fairway.kit.yaml import Node, bad, compose, entries, plain_data
from fairway.model.errors import BadFile
from fairway.pipeline.compile.context import Context
from fairway.pipeline.compile.documents import cut
from fairway.pipeline.compile.emit import document
from fairway.pipeline.compile.rendering import build_facts, from_jsonnet, from_yaml, repo_facts
from fairway.pipeline.compile.starlark_run import evaluate

_STARLARK: Final = (".starlark", ".star")
_YAML: Final = (".yaml", ".yml")
_JSONNET: Final = (".jsonnet",)
_MAX_TEMPLATES: Final = 20


def expand(text: str, context: Context) -> str:
    """The file with each template document replaced by what it makes. Raises `BadFile`."""
    if "template" not in text:
        return text
    parts = cut(text)
    found = [_template(part.text, part.line, context.filename) for part in parts]
    wanted = [part for part in found if part is not None]
    if not wanted:
        return text
    if len(wanted) > _MAX_TEMPLATES:
        message = f"more than {_MAX_TEMPLATES} template documents"
        raise bad(message, wanted[-1], name=context.filename, code="too-many-templates")
    return "".join(
        f"---\n{part.text}" if node is None else _final(_made(node, context), node, context)
        for part, node in zip(parts, found, strict=True)
    )


def _template(text: str, line: int, name: str) -> Node | None:
    """The document, when it is a template. What is not YAML is left for the reader to refuse."""
    try:
        node = compose(text, name=name, first_line=line)
        if node is None or node.kind != "map":
            return None
        kind = entries(node, name=name).get("kind")
    except BadFile:
        return None
    return node if kind and kind[1].text == "template" else None


def _final(made: str, node: Node, context: Context) -> str:
    """What a template makes, which is not expanded again."""
    if any(_template(part.text, part.line, context.filename) for part in cut(made)):
        message = "a template cannot make another template document"
        raise bad(message, node, name=context.filename, code="bad-template")
    return made


def _made(node: Node, context: Context) -> str:
    found = entries(node, name=context.filename)
    load = found["load"][1] if "load" in found else node
    title = load.text if load.kind == "scalar" else ""
    if not title:
        message = "a template document needs `load`, the name of a template"
        raise bad(message, load, name=context.filename, code="bad-template")
    if not title.endswith((*_STARLARK, *_YAML, *_JSONNET)):
        message = f"'{title}': a template's name ends with .starlark, .star, .yaml or .jsonnet"
        raise bad(message, load, name=context.filename, code="bad-template")
    if title not in context.templates:
        message = f"there is no template named '{title}' for {context.repo.namespace}"
        raise bad(message, load, name=context.filename, code="unknown-template")
    data = plain_data(found["data"][1], name=context.filename) if "data" in found else {}
    if not isinstance(data, dict):
        raise bad("`data` must be a map", found["data"][1], name=context.filename)
    if title.endswith(_YAML):
        return from_yaml(title, data, load, context)
    if title.endswith(_JSONNET):
        return _documents(from_jsonnet(title, data, load, context), load, context)
    job = {
        "name": title,
        "source": context.templates[title],
        "input": data,
        "build": build_facts(context),
        "repo": repo_facts(context),
    }
    return _documents(evaluate(job, at=load, filename=context.filename), load, context)


def _documents(value: object, node: Node, context: Context) -> str:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(item, dict) for item in values):
        message = "the template must make a pipeline or a list of pipelines"
        raise bad(message, node, name=context.filename, code="bad-template")
    return "".join(document(item) for item in values)
