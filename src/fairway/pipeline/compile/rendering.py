"""Templates in YAML and Jsonnet, and Jsonnet instead of `.drone.yml`, by the context's renderer.

Names of variables are Drone's (docs.drone.io, template/variables, pipeline/scripting/jsonnet):
`{{ .input.x }}`, `{{ .build.branch }}` in YAML; `std.extVar("input.x")`,
`std.extVar("build.branch")`, `std.extVar("build.param.X")` in Jsonnet, where all are texts. A list
or map of `data` is JSON there (`std.parseJson`): Drone gives Go's own notation, which nothing
reads.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from fairway.kit.yaml import Node, bad
from fairway.model.errors import BadFile, FairwayError, InvalidInput, TooLarge, Unavailable
from fairway.pipeline.compile.context import Context, Renderer
from fairway.pipeline.compile.emit import document

JSONNET: Final = ".jsonnet"
_MISSING: Final = ("native-missing", "native-dir")  # codes that say there are no programs


def from_yaml(title: str, data: Mapping[str, Any], at: Node, context: Context) -> str:
    """The documents that a YAML template makes. Raises `BadFile` at its `load`."""
    facts = {"input": data, "build": build_facts(context), "repo": repo_facts(context)}

    def render(renderer: Renderer) -> str:
        return renderer.go_template(title, context.templates[title], facts)

    return f"---\n{_rendered(title, render, at, context)}\n"


def from_jsonnet(title: str, data: Mapping[str, Any], at: Node, context: Context) -> object:
    """What a Jsonnet template makes. Raises `BadFile` at its `load`."""
    variables = {f"input.{key}": _text(value) for key, value in data.items()}

    def render(renderer: Renderer) -> str:
        text = context.templates[title]
        return renderer.jsonnet(title, text, {**_variables(context), **variables}, {})

    return json.loads(_rendered(title, render, at, context))


def _rendered(title: str, render: Callable[[Renderer], str], at: Node, context: Context) -> str:
    where = {"name": context.filename}
    if context.renderer is None:
        message = f"template {title}: nothing here evaluates such templates"
        raise bad(message, at, **where, code="template-needs-native")
    try:
        return render(context.renderer)
    except (InvalidInput, TooLarge, Unavailable) as error:
        message = f"template {title}: {_words(error)}"
        if error.code in _MISSING:
            raise bad(message, at, **where, code="template-needs-native") from error
        if error.retriable:
            raise
        raise bad(message, at, **where, code="template-failed") from error


def _words(error: FairwayError) -> str:
    """What happened; where programs are missing also what to do: a build shows nothing else."""
    said = error.message
    return f"{said}; {error.remedy}" if error.code in _MISSING and error.remedy else said


def jsonnet_file(text: str, context: Context) -> str:
    """The documents that a pipeline file in Jsonnet makes. Raises `BadFile`."""
    name = context.filename
    if context.renderer is None:
        raise BadFile(
            "nothing here evaluates Jsonnet", code="template-needs-native", where=f"{name}:1:1"
        )
    try:
        variables, imports = _variables(context), context.imports
        made = json.loads(context.renderer.jsonnet(name, text, variables, imports))
    except (InvalidInput, TooLarge, Unavailable) as error:
        if error.code in _MISSING:
            place = f"{name}:1:1"
            raise BadFile(_words(error), code="template-needs-native", where=place) from error
        if error.retriable:
            raise
        raise BadFile(error.message, code="jsonnet-failed", where=error.where or name) from error
    values = made if isinstance(made, list) else [made]
    if not all(isinstance(item, dict) for item in values):
        message = "the file must make a pipeline or a list of pipelines"
        raise BadFile(message, code="jsonnet-failed", where=name)
    return "".join(document(item) for item in values)


def _variables(context: Context) -> dict[str, str]:
    found: dict[str, str] = {}
    for prefix, facts in (("build", build_facts(context)), ("repo", repo_facts(context))):
        for key, value in facts.items():
            if not isinstance(value, Mapping):
                found[f"{prefix}.{key}"] = _text(value)
    for key, value in context.build.params.items():
        found[f"build.param.{key}"] = value
    return found


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


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
