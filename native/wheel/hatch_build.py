"""The wheel's version is Fairway's, its files are the last build's, its tag is the machine's."""

import platform
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

CHECKOUT = Path(__file__).resolve().parents[2]


class Metadata(MetadataHookInterface):
    """The version, from where it is kept."""

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Set it."""
        project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
        metadata["version"] = project["version"]


class Build(BuildHookInterface[Any]):
    """The programs that .cache/native/current leads to. They are static: no libc is asked for."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 hatchling's
        """Add them."""
        built = (CHECKOUT / ".cache" / "native" / "current").resolve()
        if not (built / "versions.json").exists():
            raise FileNotFoundError("no programs: scripts/native builds them")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-manylinux_2_17_{platform.machine()}"
        for path in sorted(built.iterdir()):
            build_data["force_include"][str(path)] = f"fairway_native/programs/{path.name}"
