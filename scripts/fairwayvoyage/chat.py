"""The team's chat: a server that speaks as much of Slack's Web API as Fairway uses.

`python -m fairwayvoyage.chat FOLDER PID` writes each change of a message to FOLDER/chat.jsonl, and
ends a while after the process PID (Fairway's server) has.
"""

from __future__ import annotations

import html
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from fairway.testing.slack import Said, Workspace, serve

LOOK_S = 5.0
PATIENCE_S = 60.0
_LINK = re.compile(r"<([^|>]*)\|([^>]*)>")


class Chat:
    """What was said, as the demo reads it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read = 0
        self.api = ""

    def start(self, pid: int) -> None:
        """Start the server; `pid` is whom it outlives by seconds only. Raises OSError."""
        words = [sys.executable, "-m", "fairwayvoyage.chat", str(self._folder), str(pid)]
        with (self._folder / "chat.log").open("wb") as log:
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        (self._folder / "chat.pid").write_text(str(process.pid))
        place = self._folder / "chat.url"
        until = time.monotonic() + PATIENCE_S
        while not place.exists():
            if process.poll() is not None or time.monotonic() > until:
                raise OSError(f"the chat did not start: see {self._folder}/chat.log")
            time.sleep(0.1)
        self.api = place.read_text()

    def all(self) -> list[Said]:
        """Each change of a message so far, the eldest first."""
        path = self._folder / "chat.jsonl"
        if not path.exists():
            return []
        whole = path.read_text(encoding="utf-8").rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def news(self) -> list[Said]:
        """The changes since this was asked last."""
        found = self.all()
        fresh, self._read = found[self._read :], len(found)
        return fresh

    def messages(self) -> list[Said]:
        """The channel as it reads now: threads left out, each message once."""
        last = {one["ts"]: one for one in self.all() if "thread_ts" not in one}
        return list(last.values())


def key(said: Said) -> str:
    """What a message is about: `build/7`, `deployment/3`."""
    return str(said.get("metadata", {}).get("event_payload", {}).get("key", ""))


def title(said: Said) -> str:
    """Its first line without the link."""
    return _LINK.sub(r"\2", html.unescape(str(said["text"])))


def lines(said: Said) -> list[str]:
    """What stands below it."""
    found: list[Any] = said.get("attachments") or []
    return [line for one in found for line in html.unescape(str(one.get("text", ""))).splitlines()]


def end(folder: Path) -> None:
    """End the server that an earlier demo left."""
    path = folder / "chat.pid"
    if not path.exists():
        return
    pid = int(path.read_text())
    try:
        if "fairwayvoyage.chat" in Path(f"/proc/{pid}/cmdline").read_text():
            os.kill(pid, signal.SIGTERM)
    except (OSError, ProcessLookupError):
        return


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def main() -> None:
    """Serve until Fairway is gone."""
    folder, pid = Path(sys.argv[1]), int(sys.argv[2])
    path = folder / "chat.jsonl"

    def keep(what: str, message: Said) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"what": what, **message}) + "\n")

    server = serve(Workspace(on_change=keep))
    partial = folder / "chat.partial"
    partial.write_text(f"http://127.0.0.1:{server.server_port}/api")
    partial.rename(folder / "chat.url")
    gone = threading.Event()
    while _alive(pid):
        gone.wait(LOOK_S)
    server.shutdown()


if __name__ == "__main__":
    main()
