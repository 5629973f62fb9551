"""`.drone.yml` to stage graphs: pure functions of a text and a `Context`.

- `plan(text, context) -> Plan`: which pipelines run, in what order, and why the others do not.
- `compile_stage(text, pipeline_name, context) -> StageGraph`: one pipeline, ready for an engine.
"""

from fairway.pipeline.compile.context import (
    BUILTIN_PLUGINS,
    NETRC_PASSWORD,
    NETRC_USERNAME,
    BuildFacts,
    Context,
    Netrc,
    Operator,
    RepoFacts,
    StageFacts,
    SystemFacts,
)
from fairway.pipeline.compile.finding import Finding, Scope
from fairway.pipeline.compile.planning import Plan, PlannedPipeline, compile_stage, plan

__all__ = [
    "BUILTIN_PLUGINS",
    "NETRC_PASSWORD",
    "NETRC_USERNAME",
    "BuildFacts",
    "Context",
    "Finding",
    "Netrc",
    "Operator",
    "Plan",
    "PlannedPipeline",
    "RepoFacts",
    "Scope",
    "StageFacts",
    "SystemFacts",
    "compile_stage",
    "plan",
]
