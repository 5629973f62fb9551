"""What may not be removed is named, with the command that does it; the rest goes."""

import shutil
from pathlib import Path

import pytest

from fairway.boot import lifecycle
from fairway.model.errors import Forbidden


def test_files_of_other_users_are_named_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[bool] = []

    def refuse(path: Path, *, ignore_errors: bool = False) -> None:
        tried.append(ignore_errors)
        if not ignore_errors:
            raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with pytest.raises(Forbidden) as caught:
        lifecycle._remove(tmp_path)
    assert tried == [False, True]
    assert caught.value.remedy == f"as root: rm -rf {tmp_path}"
