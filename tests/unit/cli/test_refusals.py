"""A machine that refuses room or access is told from a defect of ours."""

import errno
import os

import pytest

from fairway.cli import main


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES])
def test_what_the_machine_refuses_is_said_with_its_place(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(**_: object) -> None:
        raise OSError(number, os.strerror(number), "/full/data")

    monkeypatch.setattr(main.cli, "main", refuse)
    assert main.run(["up"]) == 2
    said = capsys.readouterr().err
    assert f"/full/data: {os.strerror(number)}" in said
    assert "next:" in said
    assert "machine-refused" in said


def test_any_other_error_of_the_system_is_a_defect_and_not_hidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(**_: object) -> None:
        raise OSError(errno.EBADF, "bad")

    monkeypatch.setattr(main.cli, "main", fail)
    with pytest.raises(OSError, match="bad"):
        main.run(["up"])
