"""`.drone.yml` to stage graphs: pure functions of a text and a `Context`.

- `plan(text, context) -> Plan`: which pipelines of a file become stages of a build, in what order,
  why the others do not, and what is wrong. What the server needs to make a build.
- `compile_stage(plan.text, name, context) -> StageGraph`: one pipeline, ready for an engine; called
  when the stage is leased, because only then its number and machine are known.
- `lint(text, context) -> list[Finding]`: every error and likely mistake with its place.
- `report(text, context) -> dict`: what would run, in the schema of `fairway compile -o json`.
- `unknown_images(...)`: names in our own registry that neither exist nor are built before.
- `skip_word`, `is_ignored`: events that make no build.
- `sign`, `is_signed`: `kind: signature`. `read_secrets`, `decrypt`, `encrypt`: `kind: secret`.
- `live(...)`: variables that change while a stage runs, to be set when a step starts.

Only a file with a `kind: template` document starts a process (a bounded child that evaluates
Starlark) or asks the context's renderer (YAML and Jsonnet, also instead of the file itself): call
`plan` through `kit.aio.blocking`. Everything else is arithmetic.
"""

from fairway.pipeline.compile.context import (
    BUILTIN_PLUGINS,
    NETRC_PASSWORD,
    NETRC_USERNAME,
    BuildFacts,
    Context,
    Netrc,
    Operator,
    Renderer,
    RepoFacts,
    StageFacts,
    SystemFacts,
)
from fairway.pipeline.compile.documents import read as read_documents
from fairway.pipeline.compile.environ import live
from fairway.pipeline.compile.finding import Finding, Findings, Scope
from fairway.pipeline.compile.image_check import built_by, unknown_images
from fairway.pipeline.compile.lint import lint
from fairway.pipeline.compile.planning import Plan, PlannedPipeline, compile_stage, plan
from fairway.pipeline.compile.report import SCHEMA, report
from fairway.pipeline.compile.secret_document import (
    SecretDocument,
    decrypt,
    encrypt,
    read_secrets,
)
from fairway.pipeline.compile.signature import is_signed, sign
from fairway.pipeline.compile.skip import is_ignored, skip_word

__all__ = [
    "BUILTIN_PLUGINS",
    "NETRC_PASSWORD",
    "NETRC_USERNAME",
    "SCHEMA",
    "BuildFacts",
    "Context",
    "Finding",
    "Findings",
    "Netrc",
    "Operator",
    "Plan",
    "PlannedPipeline",
    "Renderer",
    "RepoFacts",
    "Scope",
    "SecretDocument",
    "StageFacts",
    "SystemFacts",
    "built_by",
    "compile_stage",
    "decrypt",
    "encrypt",
    "is_ignored",
    "is_signed",
    "lint",
    "live",
    "plan",
    "read_documents",
    "read_secrets",
    "report",
    "sign",
    "skip_word",
    "unknown_images",
]
