"""`kind: template`: a document that loads a template of the organisation and gives it data.

Starlark templates are evaluated here. YAML and Jsonnet templates are refused until a later version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fairway.kit.yaml import Node, bad, compose, entries, plain_data
from fairway.model.errors import BadFile
from fairway.pipeline.compile.context import Context
from fairway.pipeline.compile.documents import cut
from fairway.pipeline.compile.emit import document
from fairway.pipeline.compile.starlark_run import evaluate

_STARLARK: Final = (".starlark", ".star")
_LATER: Final = {".yaml": "YAML", ".yml": "YAML", ".jsonnet": "Jsonnet"}
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
        f"---\n{part.text}" if node is None else _made(node, context)
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


def _made(node: Node, context: Context) -> str:
    found = entries(node, name=context.filename)
    load = found["load"][1] if "load" in found else node
    title = load.text if load.kind == "scalar" else ""
    if not title:
        message = "a template document needs `load`, the name of a template"
        raise bad(message, load, name=context.filename, code="bad-template")
    _refuse_format(title, load, context)
    if title not in context.templates:
        message = f"there is no template named '{title}' for {context.repo.namespace}"
        raise bad(message, load, name=context.filename, code="unknown-template")
    data = plain_data(found["data"][1], name=context.filename) if "data" in found else {}
    if not isinstance(data, dict):
        raise bad("`data` must be a map", found["data"][1], name=context.filename)
    job = {
        "name": title,
        "source": context.templates[title],
        "input": data,
        "build": build_facts(context),
        "repo": repo_facts(context),
    }
    return _documents(evaluate(job, at=load, filename=context.filename), load, context)


def _refuse_format(title: str, node: Node, context: Context) -> None:
    if title.endswith(_STARLARK):
        return
    later = next((word for end, word in _LATER.items() if title.endswith(end)), "")
    if later:
        raise bad(
            f"{later} templates are finished in a later version",
            node,
            name=context.filename,
            code="template-not-yet",
            remedy="Write the template in Starlark.",
        )
    message = f"'{title}': a template's name ends with .starlark, .star, .yaml or .jsonnet"
    raise bad(message, node, name=context.filename, code="bad-template")


def _documents(value: object, node: Node, context: Context) -> str:
    values = value if isinstance(value, list) else [value]
    if not values or not all(isinstance(item, dict) for item in values):
        message = "the template's main must return a pipeline or a list of pipelines"
        raise bad(message, node, name=context.filename, code="bad-template")
    return "".join(document(item) for item in values)


def build_facts(context: Context) -> Mapping[str, Any]:
    """`ctx.build`, as Drone documents it."""
    build = context.build
    return {
        "event": build.event,
        "action": build.action,
        "cron": build.cron,
        "environment": build.deploy_to,
        "link": build.link,
        "branch": build.target,
        "source": build.source,
        "before": build.before,
        "after": build.after,
        "target": build.target,
        "ref": build.ref,
        "commit": build.after,
        "title": build.title,
        "message": build.message,
        "source_repo": build.fork,
        "author_login": build.author,
        "author_name": build.author_name,
        "author_email": build.author_email,
        "author_avatar": build.author_avatar,
        "sender": build.sender,
        "debug": build.debug,
        "params": build.params,
    }


def repo_facts(context: Context) -> Mapping[str, Any]:
    """`ctx.repo`, as Drone documents it."""
    repo = context.repo
    return {
        "uid": repo.slug,
        "name": repo.name,
        "namespace": repo.namespace,
        "slug": repo.slug,
        "git_http_url": repo.clone_url,
        "git_ssh_url": repo.ssh_url,
        "link": repo.link,
        "branch": repo.branch,
        "config": context.filename,
        "private": repo.private,
        "visibility": repo.visibility,
        "active": True,
        "trusted": repo.trusted,
        "protected": repo.protected,
        "ignore_forks": False,
        "ignore_pull_requests": False,
    }
