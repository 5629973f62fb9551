"""Languages in which people write configuration: what the toolbox is asked, and what it answers.

Raises of every one: `InvalidInput` with a place (codes `jsonnet-failed`, `bad-template`,
`template-failed`, `bad-compose`, `bad-expression`, `expression-failed`, `bad-query`,
`query-failed`, `bad-script`, `script-failed`, `script-steps`, `not-json`, `no-file`), `TooLarge`,
`Unavailable`.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from msgspec import Struct, field

from fairway.native.wire import Request

Json = dict[str, Any]


class Jsonnet(Request[list[str]], frozen=True, kw_only=True):
    """A jsonnet program: its documents as JSON texts (or plain ones with `string_output`).

    The program is the file at `path`, or `text` (`path` is then its name in messages). Imports
    are found beside the file that imports, then in `library_paths` from the last to the first.
    """

    method: ClassVar[str] = "jsonnet"
    answer: ClassVar[Any] = list[str]

    path: str = "main.jsonnet"
    text: str | None = None
    ext_vars: dict[str, str] = field(default_factory=dict)
    ext_code: dict[str, str] = field(default_factory=dict)
    tla_vars: dict[str, str] = field(default_factory=dict)
    tla_code: dict[str, str] = field(default_factory=dict)
    library_paths: tuple[str, ...] = ()
    string_output: bool = False
    stream: bool = False  # the program gives a list: one document for each item


class GoTemplate(Request[dict[str, str]], frozen=True, kw_only=True):
    """Go templates with sprig's functions, toYaml and fromYaml: each one's text by its name.

    There is no environment and no network in them. `missing_key`: default (`<no value>`), zero or
    error. Data with infinite numbers is to be `wire.wrapped`.
    """

    method: ClassVar[str] = "gotemplate"
    answer: ClassVar[Any] = dict[str, str]

    templates: dict[str, str]
    data: Any = None
    missing_key: Literal["default", "zero", "error"] = "default"
    left: str = "{{"
    right: str = "}}"


class ComposeModel(Struct, frozen=True, kw_only=True):
    """A Compose project as `docker compose config --format json` shows it, but that `$` is not
    doubled. Paths are absolute.
    """

    model: Json
    warnings: list[str]


class Compose(Request[ComposeModel], frozen=True, kw_only=True):
    """Compose files to their model: interpolation, extends, profiles, includes, env files.

    Nothing of this process's environment is used; an `.env` beside the files is.
    """

    method: ClassVar[str] = "compose"
    answer: ClassVar[Any] = ComposeModel

    files: tuple[str, ...] = ()  # none: those that Docker Compose looks for
    project: str
    directory: str = "."  # to which the files' paths are relative
    profiles: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()  # NAME=VALUE
    home: str = "/root"  # what `~` means in paths of mounts
    env_files: tuple[str, ...] = ()
    no_interpolate: bool = False


class Function(Struct, frozen=True):
    """A function of an expression, itself an expression over its parameters."""

    parameters: tuple[str, ...]
    body: str


class Expr(Request[Any], frozen=True, kw_only=True):
    """An expression of expr-lang and its value. `env` is to be `wire.wrapped`, the value
    `wire.unwrapped`, where numbers may be infinite or none.
    """

    method: ClassVar[str] = "expr"
    answer: ClassVar[Any] = Any

    source: str
    env: Any = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    allow_undefined: bool = False
    only: bool = False  # compile it, do not run it


class Query(Request[list[Any]], frozen=True, kw_only=True):
    """A jq program and its results."""

    method: ClassVar[str] = "jq"
    answer: ClassVar[Any] = list[Any]

    query: str
    input: Any = None
    variables: dict[str, Any] = field(default_factory=dict)
    limit: int = 0  # results at most; 0 is all


class JsonPath(Request[list[Any]], frozen=True, kw_only=True):
    """A JSONPath as kubectl reads one (`{.items[0].name}`), and everything that it finds.

    Whole numbers and others are kinds of their own in its filters. A field that is not there is an
    error (`query-failed`).
    """

    method: ClassVar[str] = "jsonpath"
    answer: ClassVar[Any] = list[Any]

    query: str
    input: Any = None


class LuaResult(Struct, frozen=True, kw_only=True):
    """What a script returns, and what it printed. An empty table is a list."""

    values: list[Any]
    printed: str


class Lua(Request[LuaResult], frozen=True, kw_only=True):
    """A Lua 5.1 script with the base, table, string and math libraries: no io, os, files, modules
    or coroutines.
    """

    method: ClassVar[str] = "lua"
    answer: ClassVar[Any] = LuaResult

    script: str
    name: str = "script.lua"  # in messages
    globals: dict[str, Any] = field(default_factory=dict)
    steps: int = 10_000_000  # instructions
