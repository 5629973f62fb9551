"""Values for `${...}` where a file is looked at without any build: likely ones, never empty."""

from __future__ import annotations

from typing import Final

from fairway.pipeline.compile.config import Pipeline
from fairway.pipeline.compile.context import Context
from fairway.pipeline.compile.environ import substitution_variables
from fairway.pipeline.compile.versions import version_variables

_TAG: Final = "v1.2.3"
_LIKELY: Final = {
    **version_variables(_TAG),
    "DRONE_TAG": _TAG,
    "DRONE_PULL_REQUEST": "1",
    **dict.fromkeys(
        ("DRONE_COMMIT", "DRONE_COMMIT_SHA", "DRONE_COMMIT_AFTER", "CI_COMMIT_SHA"), "c0ffee" * 7
    ),
    **dict.fromkeys(("DRONE_BUILD_STARTED", "DRONE_BUILD_CREATED"), "1700000000"),
}


class Samples(dict[str, str]):
    """A value for every name: what is not known is `x`."""

    def get(self, key: str, default: object = None) -> str:
        """The value of a name, whatever the default."""
        del default
        return super().get(key, "x")


def samples(context: Context, pipeline: Pipeline | None) -> Samples:
    """What `lint` puts in: the context's own values, likely ones where it has none."""
    known = {
        key: value
        for key, value in substitution_variables(context, pipeline).items()
        if value and value != "0"
    }
    return Samples({**_LIKELY, **known})
