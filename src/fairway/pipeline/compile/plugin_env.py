"""`settings` as `PLUGIN_*` variables, with every oddity of Drone's encoder.

The key is put in capitals and nothing else; a list of plain values is joined with commas and not
quoted; a map, and a list that holds anything nested, becomes JSON; null values are left out.
"""

from __future__ import annotations

from fairway.kit.gotext import to_json
from fairway.kit.scalar import go_text
from fairway.kit.yaml import Node, bad, entries
from fairway.model.errors import BadFile
from fairway.pipeline.compile.config import Setting
from fairway.pipeline.graph import SecretRef


def variable_name(key: str) -> str:
    """`build-args` becomes `PLUGIN_BUILD-ARGS`."""
    return f"PLUGIN_{key.upper()}"


def plugin_variables(settings: dict[str, Setting], *, name: str) -> dict[str, str | SecretRef]:
    """All settings of a step. Raises `BadFile` for a value that JSON has no word for."""
    result: dict[str, str | SecretRef] = {}
    for key, setting in settings.items():
        if setting.secret:
            result[variable_name(key)] = SecretRef(setting.secret)
        elif setting.node is not None:
            result[variable_name(key)] = encode(setting.node, name=name)
    return result


def encode(node: Node, *, name: str = "") -> str:
    """One setting as text."""
    try:
        if node.kind == "scalar":
            value = node.value()
            return "null" if value is None else go_text(value)
        if node.kind == "list" and all(item.kind == "scalar" for item in node.items):
            return ",".join(go_text(item.value()) for item in node.items)
        return to_json(_data(node, name))
    except BadFile:
        raise
    except ValueError as error:
        raise bad(str(error), node, name=name, code="bad-setting") from error


def _data(node: Node, name: str) -> object:
    if node.kind == "scalar":
        return node.value()
    if node.kind == "list":
        return [_data(item, name) for item in node.items]
    return {
        go_text(key.value()): _data(value, name) for key, value in entries(node, name=name).values()
    }
