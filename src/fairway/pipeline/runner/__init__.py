"""The runner: takes stages from `Dispatch` and runs them on engines.

`loop` leases, `stage` runs one lease by the decisions of `pipeline.progress`, `step` its steps,
`attempt` one container or plugin, `logs` keeps what they print, `link` bears the system's outages.
"""

from fairway.pipeline.runner.loop import Runner
from fairway.pipeline.runner.tools import Findings, ReportReader, RunnerSettings, Tools

__all__ = ["Findings", "ReportReader", "Runner", "RunnerSettings", "Tools"]
