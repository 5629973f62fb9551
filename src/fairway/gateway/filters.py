"""The filters of rules and backends: what each may be, and which go together."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from fairway.gateway.objects import route as api
from fairway.gateway.objects.values import is_header, is_hostname, is_path, is_value
from fairway.gateway.rules import INCOMPATIBLE, Filters, Match, Unknown, Wrong

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


def check_filters(filters: tuple[api.Filter, ...], matches: tuple[Match, ...]) -> Filters:
    """The filters of a rule or backend as Envoy will take them. Raises `Wrong` or `Unknown`."""
    kinds = [each.type for each in filters]
    twice = {kind for kind in kinds if kind != "RequestMirror" and kinds.count(kind) > 1}
    if twice or {"RequestRedirect", "URLRewrite"} <= set(kinds):
        which = ", ".join(sorted(twice or {"RequestRedirect", "URLRewrite"}))
        raise Wrong(f"these filters cannot go together: {which}", INCOMPATIBLE)
    found = Filters()
    for each in filters:
        found = replace(found, **_one(each, matches))
    mirrors = tuple(_mirror(each.request_mirror) for each in filters if each.request_mirror)
    return replace(found, mirrors=mirrors)


def _one(each: api.Filter, matches: tuple[Match, ...]) -> dict[str, object]:
    match each:
        case api.Filter("RequestHeaderModifier", request_header_modifier=api.HeaderEdit() as edit):
            return {"request": _edit(edit, request=True)}
        case api.Filter(
            "ResponseHeaderModifier", response_header_modifier=api.HeaderEdit() as edit
        ):
            return {"response": _edit(edit, request=False)}
        case api.Filter("RequestRedirect", request_redirect=api.Redirect() as redirect):
            return {"redirect": _redirect(redirect, matches)}
        case api.Filter("URLRewrite", url_rewrite=api.Rewrite() as rewrite):
            _check_path_edit(rewrite.path, matches)
            _check_host(rewrite.hostname)
            return {"rewrite": rewrite}
        case api.Filter("CORS", cors=api.Cors() as cors):
            return {"cors": _cors(cors)}
        case api.Filter("RequestMirror", request_mirror=api.Mirror()):
            return {}
        case _:
            raise Unknown(f"filter {each.type} is not supported")


def _edit(edit: api.HeaderEdit, *, request: bool) -> api.HeaderEdit:
    names = [h.name.lower() for h in (*edit.set, *edit.add)] + [n.lower() for n in edit.remove]
    for name in names:
        if not is_header(name):
            raise Wrong(f"header {name!r} cannot be one")
        if names.count(name) > 1:
            raise Wrong(f"header {name!r} is changed twice")
    if request and "host" in [h.name.lower() for h in edit.add] + [n.lower() for n in edit.remove]:
        raise Wrong("the Host header can be set, but neither added to nor removed")
    for header in (*edit.set, *edit.add):
        if not is_value(header.value):
            raise Wrong(f"header {header.name}: its value holds characters that no header may hold")
    return edit


def _mirror(mirror: api.Mirror) -> api.Mirror:
    part = mirror.fraction or api.Fraction(100 if mirror.percent is None else mirror.percent)
    if part.denominator < 1 or not 0 <= part.numerator <= part.denominator:
        raise Wrong(f"a mirror of {part.numerator}/{part.denominator} is no share")
    return api.Mirror(mirror.backend_ref, fraction=part)


def _redirect(redirect: api.Redirect, matches: tuple[Match, ...]) -> api.Redirect:
    if redirect.scheme not in {"", "http", "https"}:
        raise Wrong(f"redirect scheme {redirect.scheme!r} is not known")
    if redirect.status_code not in REDIRECTS:
        raise Wrong(f"redirect status {redirect.status_code} is none of {sorted(REDIRECTS)}")
    _check_host(redirect.hostname)
    _check_path_edit(redirect.path, matches)
    return redirect


def _check_host(name: str) -> None:
    if name and (not is_hostname(name) or name.startswith("*")):
        raise Wrong(f"hostname {name!r} is not a precise hostname")


def _check_path_edit(edit: api.PathEdit | None, matches: tuple[Match, ...]) -> None:
    match edit:
        case None:
            return
        case api.PathEdit("ReplaceFullPath", replace_full_path=str() as value):
            pass
        case api.PathEdit("ReplacePrefixMatch", replace_prefix_match=str() as value):
            if any(each.path.type != "PathPrefix" for each in matches):
                raise Wrong("ReplacePrefixMatch needs matches of type PathPrefix only")
        case _:
            raise Wrong(f"path type {edit.type!r} is not known, or its value is missing")
    if value and not is_path(f"/{value.lstrip('/')}"):
        raise Wrong(f"path {value!r} cannot be one")


def _cors(cors: api.Cors) -> api.Cors:
    names = (*cors.allow_methods, *cors.allow_headers, *cors.expose_headers)
    for name in names:
        if name != "*" and not is_header(name):
            raise Wrong(f"CORS: {name!r} is neither a method nor a header")
    for origin in cors.allow_origins:
        if not is_value(origin) or (origin != "*" and "://" not in origin):
            raise Wrong(f"CORS: {origin!r} is not an origin such as https://example.com")
    return cors
