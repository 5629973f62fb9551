"""Each language does what its own library does."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from toolboxcharts import write

from fairway.model.errors import InvalidInput
from fairway.native.languages import (
    Compose,
    Expr,
    Function,
    GoTemplate,
    Jsonnet,
    JsonPath,
    Lua,
    Query,
)
from fairway.native.toolbox import Toolbox
from fairway.native.wire import unwrapped, wrapped


async def test_jsonnet_takes_variables_arguments_and_libraries(toolbox: Toolbox, tmp_path: Path):
    write(tmp_path / "vendor/lib.libsonnet", "{ twice(n):: n * 2 }")
    write(tmp_path / "app/near.libsonnet", "{ near: true }")
    write(
        tmp_path / "app/main.jsonnet",
        "local l = import 'lib.libsonnet'; function(who, n) (import 'near.libsonnet') + {"
        "who: who, n: l.twice(n), v: std.extVar('v'), c: std.extVar('c') }",
    )
    made = await toolbox.ask(
        Jsonnet(
            path="app/main.jsonnet",
            library_paths=("vendor",),
            ext_vars={"v": "text"},
            ext_code={"c": "[1, 2]"},
            tla_vars={"who": "me"},
            tla_code={"n": "21"},
        ),
        folder=tmp_path,
    )
    expected = {"near": True, "who": "me", "n": 42, "v": "text", "c": [1, 2]}
    assert json.loads(made[0]) == expected


async def test_jsonnet_makes_texts_and_streams(toolbox: Toolbox):
    assert await toolbox.ask(Jsonnet(text="'a' + 1", string_output=True)) == ["a1\n"]
    stream = await toolbox.ask(Jsonnet(text="[{a: 1}, {b: 2}]", stream=True))
    assert [json.loads(one) for one in stream] == [{"a": 1}, {"b": 2}]


async def test_jsonnet_tells_the_place_of_an_error(toolbox: Toolbox):
    with pytest.raises(InvalidInput) as caught:
        await toolbox.ask(Jsonnet(path="a/b.jsonnet", text="{\n  x: error 'no' }"))
    assert (caught.value.code, caught.value.where) == ("jsonnet-failed", "a/b.jsonnet:2:6")
    with pytest.raises(InvalidInput) as again:
        await toolbox.ask(Jsonnet(path="a/b.jsonnet", text="{\n x: }"))
    assert again.value.where.startswith("a/b.jsonnet:2:")


async def test_templates_have_sprig_and_keep_numbers(toolbox: Toolbox):
    made = await toolbox.ask(
        GoTemplate(
            templates={
                "a": "{{ .name | upper | quote }} {{ add .n 1 }} {{ .f }} {{ .none }}",
                "b": "{{ toYaml .list }}|{{ (fromYaml `x: 1`).x }}",
            },
            data={"name": "x", "n": 3, "f": 1.5, "list": [1, {"k": "v"}]},
        )
    )
    assert made == {"a": '"X" 4 1.5 <no value>', "b": "- 1\n- k: v|1"}
    other = GoTemplate(templates={"a": "[[ .x ]]{{"}, data={"x": 1}, left="[[", right="]]")
    assert await toolbox.ask(other) == {"a": "1{{"}


async def test_a_missing_key_can_be_an_error(toolbox: Toolbox):
    with pytest.raises(InvalidInput) as caught:
        await toolbox.ask(GoTemplate(templates={"t": "{{ .no }}"}, data={}, missing_key="error"))
    assert (caught.value.code, caught.value.where) == ("template-failed", "")
    with pytest.raises(InvalidInput) as again:
        await toolbox.ask(GoTemplate(templates={"t": "{{ if }}"}))
    assert again.value.code == "bad-template"


async def test_expressions_have_functions_of_the_caller(toolbox: Toolbox):
    functions = {
        "isNaN": Function(("x",), "x != x"),
        "asInt": Function(("x",), "int(x)"),
        "between": Function(("x", "low", "high"), "x >= low and x <= high"),
    }

    async def value(source: str, **env: object) -> object:
        asked = Expr(source=source, env=wrapped(env), functions=functions)
        return unwrapped(await toolbox.ask(asked))

    assert await value("asInt(result[0]) > 3 && !isNaN(f)", result=["4"], f=1.0) is True
    assert await value("isNaN(f)", f=math.nan) is True
    assert await value("between(r, 0.9, 1)", r=0.95) is True
    assert await value("f", f=math.inf) == math.inf
    assert await value("a / b", a=1, b=0) == math.inf
    assert await value("{x: n, y: [n + 0.0]}", n=2) == {"x": 2, "y": [2.0]}
    with pytest.raises(InvalidInput, match="takes 1"):
        await value("asInt(1, 2)")


async def test_an_expression_is_checked_before_it_runs(toolbox: Toolbox):
    for source in ("a +", "nobody > 1", "1 + 'x'"):
        with pytest.raises(InvalidInput) as caught:
            await toolbox.ask(Expr(source=source, env={"a": 1}, only=True))
        assert caught.value.code == "bad-expression"
    assert await toolbox.ask(Expr(source="a > 1", env={"a": 1}, only=True)) is None
    assert await toolbox.ask(Expr(source="nobody ?? 5", allow_undefined=True)) == 5
    with pytest.raises(InvalidInput) as failed:
        await toolbox.ask(Expr(source="l[5]", env={"l": [1]}))
    assert failed.value.code == "expression-failed"


async def test_jq_gives_all_results(toolbox: Toolbox):
    asked = Query(query=".a[] | . * $n", input={"a": [1, 2.5, 10**20]}, variables={"n": 2})
    assert await toolbox.ask(asked) == [2, 5.0, 2e20]
    assert await toolbox.ask(Query(query="repeat(1)", limit=3)) == [1, 1, 1]
    assert await toolbox.ask(Query(query="empty")) == []
    assert await toolbox.ask(Query(query="$ENV, env")) == [{}, {}]
    for query, code in (
        (".a[", "bad-query"),
        (".a.b", "query-failed"),
        ("import `x`; 1", "bad-query"),
    ):
        with pytest.raises(InvalidInput) as caught:
            await toolbox.ask(Query(query=query, input={"a": 1}))
        assert caught.value.code == code


async def test_lua_gets_and_gives_data(toolbox: Toolbox):
    script = """
    print("looked at", obj.kind)
    local hs = { status = "Healthy", list = {1, 2}, none = {} }
    if obj.status.replicas < 3 then hs.status = "Progressing" end
    hs.message = string.format("%d of %d", obj.status.replicas, math.max(1, 3))
    return hs, #obj.list, 1.5, nil, true
    """
    obj = {"kind": "X", "status": {"replicas": 2}, "list": [1, None, "x"]}
    made = await toolbox.ask(Lua(script=script, globals={"obj": obj}))
    expected = {"status": "Progressing", "list": [1, 2], "none": [], "message": "2 of 3"}
    assert made.values[0] == expected
    assert made.values[2:] == [1.5, None, True]
    assert made.printed == "looked at\tX\t\n"


async def test_lua_errors_have_their_line(toolbox: Toolbox):
    for script, code in (("x = = 1", "bad-script"), ("\nerror('no')", "script-failed"),
                         ("return function() end", "not-json")):  # fmt: skip
        with pytest.raises(InvalidInput) as caught:
            await toolbox.ask(Lua(script=script, name="health.lua"))
        assert caught.value.code == code
    with pytest.raises(InvalidInput) as placed:
        await toolbox.ask(Lua(script="\nerror('no')", name="health.lua"))
    assert placed.value.where == "health.lua:2"
    circle = Lua(script="t = {} t.t = t return t")
    with pytest.raises(InvalidInput, match="too deep"):
        await toolbox.ask(circle)


async def test_compose_gives_the_model_with_absolute_paths(toolbox: Toolbox, tmp_path: Path):
    write(
        tmp_path / "stack/compose.yaml",
        """
include: [more/part.yaml]
services:
  web:
    image: "web:${TAG:-1}"
    build: ./app
    env_file: web.env
    extends: {file: more/base.yaml, service: base}
    volumes: [./data:/data, /etc:/host, "~/x:/x"]
    environment: {A: "$$x", U: "${NOBODY}"}
  debug: {image: d, profiles: [debug]}
""",
    )
    write(tmp_path / "stack/web.env", "B=2\n")
    write(tmp_path / "stack/.env", "TAG=7\n")
    write(tmp_path / "stack/more/base.yaml", "services: {base: {command: [run]}}\n")
    write(tmp_path / "stack/more/part.yaml", "services: {part: {image: p, build: .}}\n")
    asked = Compose(project="demo", directory="stack", home="/home/me")
    made = await toolbox.ask(asked, folder=tmp_path)
    web, part = made.model["services"]["web"], made.model["services"]["part"]
    assert (web["image"], web["command"]) == ("web:7", ["run"])
    assert web["environment"] == {"A": "$x", "B": "2", "U": ""}
    sources = [one["source"] for one in web["volumes"]]
    assert sources == [str(tmp_path / "stack/data"), "/etc", "/home/me/x"]
    assert part["build"]["context"] == str(tmp_path / "stack/more")
    assert "debug" not in made.model["services"]
    assert any("NOBODY" in one for one in made.warnings)
    with_profile = Compose(
        project="demo", directory="stack", profiles=("debug",), environment=("TAG=9", "NOBODY=1")
    )
    other = await toolbox.ask(with_profile, folder=tmp_path)
    assert other.model["services"]["debug"]["image"] == "d"
    assert other.model["services"]["web"]["image"] == "web:9"
    assert other.warnings == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("services: {w: {imag: x}}", "imag"),
        ("services:\n  w: [\n", "L3"),
        ("services: {w: {image: x, depends_on: [y]}}", "y"),
        ("services: {w: {image: '${X:?give it}'}}", "give it"),
    ],
)
async def test_compose_says_what_is_wrong(toolbox: Toolbox, tmp_path: Path, text: str, words: str):
    write(tmp_path / "compose.yaml", text)
    with pytest.raises(InvalidInput, match=words) as caught:
        await toolbox.ask(Compose(project="p"), folder=tmp_path)
    assert caught.value.code == "bad-compose"


async def test_a_jsonpath_is_kubectls_own(toolbox: Toolbox) -> None:
    data = {"a": [{"n": "x", "v": 1.0}, {"n": "y", "v": 2.5}], "b": None}
    found = {
        "{$.a[0].v}": [1.0],
        "{.a[*].n}": ["x", "y"],
        '{.a[?(@.n=="y")].v}': [2.5],
        "{..v}": [1.0, 2.5],
        "{.b}": [None],
        "{$}": [data],
    }
    for path, wanted in found.items():
        assert await toolbox.ask(JsonPath(query=path, input=data)) == wanted
    for path, code in (("{.a[}", "bad-query"), ("{.nothing}", "query-failed")):
        with pytest.raises(InvalidInput) as raised:
            await toolbox.ask(JsonPath(query=path, input=data))
        assert raised.value.code == code
