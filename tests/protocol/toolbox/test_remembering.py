"""The simulated world's toolbox: the real one, blocking, its answers kept by content."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from toolboxcharts import chart

from fairway.model.errors import InvalidInput
from fairway.native.helm import HelmTemplate
from fairway.native.languages import Expr
from fairway.native.toolbox import Remembering, Toolbox
from fairway.testing.virtual import VirtualLoop


class Counting(Remembering):
    """Counts the connections that are made."""

    calls = 0

    def _connect(self) -> Any:
        self.calls += 1
        return super()._connect()


@pytest.fixture
def remembering(toolbox: Toolbox) -> Counting:
    toolbox.ask_now(Expr(source="1"))
    return Counting(toolbox.server)


def test_the_same_question_is_asked_once(remembering: Counting, tmp_path: Path) -> None:
    chart(tmp_path)
    asked = HelmTemplate(chart="web")
    first = remembering.ask_now(asked, folder=tmp_path)
    assert remembering.ask_now(asked, folder=tmp_path) == first
    assert remembering.calls == 1
    (tmp_path / "web/values.yaml").write_text("text: other\nlist: []\n")
    assert remembering.ask_now(asked, folder=tmp_path) != first
    assert remembering.calls == 2


def test_an_error_is_kept_as_well(remembering: Counting) -> None:
    for _ in range(2):
        with pytest.raises(InvalidInput):
            remembering.ask_now(Expr(source="1 +"))
    assert remembering.calls == 1


def test_in_virtual_time_a_call_takes_none(remembering: Counting) -> None:
    async def work() -> object:
        return await remembering.ask(Expr(source="20 + 1"))

    loop = VirtualLoop(seed=1)
    try:
        began = loop.time()
        assert loop.run_until_complete(work()) == 21
        assert loop.time() == began
    finally:
        loop.close()
