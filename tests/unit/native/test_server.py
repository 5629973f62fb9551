"""How the toolbox's process is started."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from fairway.native.server import Server

PROGRAM = f"""#!{sys.executable}
import signal, socket, sys
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[sys.argv.index("--socket") + 1])
listener.listen()
signal.pause()
"""
CONFINE = """#!/bin/sh
echo "$@" > "$(dirname "$0")/confined"
exec "$@"
"""


@pytest.mark.parametrize("confines", [True, False])
def test_a_program_beside_it_that_confines_starts_it(tmp_path: Path, *, confines: bool) -> None:
    program = tmp_path / "programs" / "fairway-native"
    program.parent.mkdir()
    for path, text in ((program, PROGRAM), (program.with_name("confine"), CONFINE)):
        path.write_text(text)
        path.chmod(0o755)
    if not confines:
        program.with_name("confine").unlink()
    server = Server(tmp_path / "toolbox", lambda: program)
    server.ensure()
    try:
        assert server.answers()
        said = program.with_name("confined")
        assert said.exists() is confines
        if confines:
            assert said.read_text().split()[:2] == [str(program), "toolbox"]
    finally:
        assert server.stop()
    assert not server.answers()
