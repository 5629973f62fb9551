"""Headers and paths, as Envoy changes them."""

from __future__ import annotations

from typing import Any, Final

from fairway.gateway.objects.route import HeaderEdit, PathEdit
from fairway.gateway.objects.values import quote
from fairway.gateway.rules import Filters

_SET: Final = "OVERWRITE_IF_EXISTS_OR_ADD"
_ADD: Final = "APPEND_IF_EXISTS_OR_ADD"


def header_edits(filters: Filters) -> dict[str, Any]:
    """The four lists of a route or of one share of its traffic. The Host header is not among them:
    Envoy rewrites it by other means (`host_set`)."""
    found: dict[str, Any] = {}
    for side, edit in (("request", filters.request), ("response", filters.response)):
        if edit is None:
            continue
        if added := _options(edit, host=side == "response"):
            found[f"{side}_headers_to_add"] = added
        if edit.remove:
            found[f"{side}_headers_to_remove"] = list(edit.remove)
    return found


def host_set(filters: Filters) -> str:
    """The Host header that a RequestHeaderModifier sets, or an empty text."""
    edit = filters.request
    values = [each.value for each in (edit.set if edit else ()) if each.name.lower() == "host"]
    return values[0] if values else ""


def _options(edit: HeaderEdit, *, host: bool) -> list[dict[str, Any]]:
    both = [(each, _SET) for each in edit.set] + [(each, _ADD) for each in edit.add]
    return [
        {
            # Envoy replaces what stands between percent signs.
            "header": {"key": each.name, "value": each.value.replace("%", "%%")},
            "append_action": action,
            "keep_empty_value": True,
        }
        for each, action in both
        if host or each.name.lower() != "host"
    ]


def path_rewrite(edit: PathEdit | None, prefix: str) -> dict[str, Any]:
    """How a path is changed on its way to the backend; `prefix` is what was matched. The query
    stays as it is."""
    if edit is None:
        return {}
    if edit.replace_full_path is not None and edit.type == "ReplaceFullPath":
        return _regex(r"^/.*$", _absolute(edit.replace_full_path))
    if edit.type == "Regex":  # of an Ingress: the substitution has groups already
        pattern = {"regex": edit.replace_prefix_match or ""}
        rewrite = {"pattern": pattern, "substitution": edit.replace_full_path or ""}
        return {"regex_rewrite": rewrite}
    return _prefix_rewrite(prefix, edit.replace_prefix_match or "")


def path_redirect(edit: PathEdit | None, prefix: str) -> dict[str, Any]:
    """The same for the path of a redirect."""
    if edit is not None and edit.type == "ReplaceFullPath":
        return {"path_redirect": _absolute(edit.replace_full_path or "")}
    return path_rewrite(edit, prefix)


def _prefix_rewrite(prefix: str, replacement: str) -> dict[str, Any]:
    """Whole elements are replaced, and slashes never double (the table at HTTPPathModifier)."""
    old, new = prefix.rstrip("/"), replacement.strip("/")
    if not new:
        return _regex(f"^{quote(old)}/*", "/") if old else {}
    if not old:
        return _regex("^/", f"/{new}/")
    return {"prefix_rewrite": f"/{new}"}


def _regex(pattern: str, substitution: str) -> dict[str, Any]:
    return {
        "regex_rewrite": {
            "pattern": {"regex": pattern},
            "substitution": substitution.replace("\\", "\\\\"),
        }
    }


def _absolute(path: str) -> str:
    return "/" + path.lstrip("/")
