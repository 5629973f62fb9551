"""The team's chat: a server that speaks as much of Slack's Web API as Fairway uses.

`python -m fairwaydemo.voyage.chat FOLDER PID` writes each change of a message to a file of FOLDER,
and ends a while after the process PID (Fairway's server) has.
"""

from __future__ import annotations

import html
import json
import re
import sys
from pathlib import Path
from typing import Any

from fairway.testing.slack import Said, Workspace, serve
from fairwaydemo import attending

_LINK = re.compile(r"<([^|>]*)\|([^>]*)>")


class Chat:
    """What was said, as the demo reads it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read = 0
        self.api = ""

    def start(self, pid: int) -> None:
        """Start the server; `pid` is whom it outlives by seconds only. Raises Trouble."""
        self.api = attending.start(self._folder, "fairwaydemo.voyage.chat", pid)

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


def main() -> None:
    """Serve until Fairway is gone."""
    folder, pid = Path(sys.argv[1]), int(sys.argv[2])
    path = folder / "chat.jsonl"

    def keep(what: str, message: Said) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"what": what, **message}) + "\n")

    server = serve(Workspace(on_change=keep))
    attending.say_where(folder, "chat", f"http://127.0.0.1:{server.server_port}/api")
    attending.until_gone(pid)
    server.shutdown()


if __name__ == "__main__":
    main()
