"""What must hold after a history of crashes: nothing lost, nothing twice, nothing left behind."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path

from receiver import Receiver
from repositories import Known, Repository
from workload import ORG, Accepted

from fairway.client.wire.build import Build, Step
from fairway.docker.daemon import client
from fairway.pipeline.compile.script import shown
from fairway.testing.installation import DONE, Installation, until

CLEAN_S = 400.0


class Verdict:
    """Checks one system after its history. `wrong` holds every finding as a sentence."""

    def __init__(self, system: Installation, found: list[Repository], host: str) -> None:
        self.system = system
        self.host = host
        self.repositories = {one.name: one for one in found}
        self.builds: list[Build] = []
        self.wrong: list[str] = []

    def await_end(self, seconds: float) -> None:
        """Return once every build has ended."""
        until("all builds end", self._ended, seconds=seconds)
        shorts = self.system.builds()
        self.builds = [self.system.build(one.repository, one.number) for one in shorts]

    def _ended(self) -> bool:
        return all(one.status in DONE for one in self.system.builds())

    def all_of(self, accepted: Accepted, ledger: Path, receiver: Receiver) -> None:
        """Every check, in turn."""
        self.once(accepted)
        self.outcomes()
        self.ledger(ledger)
        self.hooks(receiver)
        self.outbox()
        self.orphans()

    # ---- builds ----------------------------------------------------------------------------------

    def once(self, accepted: Accepted) -> None:
        """Each push and trigger led to exactly one build, and nothing else did."""
        asked = Counter((f"{ORG}/{name}", what) for name, what in accepted.pushes)
        asked.update((f"{ORG}/{name}", mark) for name, mark in accepted.triggers)
        made = Counter(
            (one.repository, one.after if one.event == "push" else one.params.get("MARK", ""))
            for one in self.builds
        )
        for key in sorted(asked.keys() | made.keys()):
            if asked[key] != 1 or made[key] != 1:
                self.wrong.append(f"{key}: asked for {asked[key]} times, built {made[key]} times")

    def outcomes(self) -> None:
        """Every build, and every step of it, ended as its file says."""
        for build in self.builds:
            one = self.repositories[build.repository.partition("/")[2]]
            self._same(_name(build), build.status, one.status, build.error or build.reason)
            for stage in build.stages:
                for step in stage.steps:
                    if known := one.steps.get((stage.name, step.name)):
                        self._step(build, stage.number, step, known)

    def _step(self, build: Build, stage: int, step: Step, known: Known) -> None:
        where = f"{_name(build)} step {step.name}"
        self._same(where, step.status, known.status, step.error)
        if not known.container:
            return
        traces = [f"+ {unquoted(command)}" for command in known.commands]
        wanted = [*traces[:2], *known.lines, *traces[2:]]
        log = self.system.raw_log(build.repository, build.number, stage, step.number)
        lines = log.decode().splitlines()
        if lines != wanted:
            self.wrong.append(f"{where}: {difference(lines, wanted)}")

    def _same(self, what: str, found: str, wanted: str, why: str) -> None:
        if found != wanted:
            self.wrong.append(f"{what} is {found}, not {wanted}: {why}")

    # ---- effects ---------------------------------------------------------------------------------

    def ledger(self, path: Path) -> None:
        """Every container step began once and came to its end once."""
        lines = Counter(path.read_text().splitlines())
        wanted: Counter[str] = Counter()
        for build in self.builds:
            one = self.repositories[build.repository.partition("/")[2]]
            for stage in build.stages:
                for step in stage.steps:
                    known = one.steps.get((stage.name, step.name))
                    if known and known.container and known.status != "skipped":
                        me = f"{one.name}/{build.number}/{stage.number}/{step.number}"
                        wanted.update((f"begin {me}", f"end {me}"))
        for line in sorted(lines.keys() | wanted.keys()):
            if lines[line] != wanted[line]:
                self.wrong.append(f"ledger: {line!r} {lines[line]} times, not {wanted[line]}")

    def hooks(self, receiver: Receiver) -> None:
        """Requests came again only with the key that they had before."""
        for build in self.builds:
            one = self.repositories[build.repository.partition("/")[2]]
            keys = receiver.seen.get((build.repository, build.number), Counter())
            if len(keys) != one.hooks or "" in keys:
                self.wrong.append(f"{_name(build)}: keys {dict(keys)}, wanted {one.hooks}")

    # ---- what is left ----------------------------------------------------------------------------

    def outbox(self) -> None:
        """Every event was taken by its handlers, and none was parked."""
        until("the outbox is empty", lambda: not self._waiting(), seconds=CLEAN_S)

    def _waiting(self) -> int:
        with sqlite3.connect(f"file:{self.system.data / 'fairway.db'}?mode=ro", uri=True) as db:
            found = int(db.execute("select count(*) from delivery").fetchone()[0])
        db.close()
        return found

    def orphans(self) -> None:
        """No container, stage network or volume of ours is left."""
        owner = installation_of(self.system.data)
        try:
            until("all is removed", lambda: not left(self.host, owner), seconds=CLEAN_S)
        except AssertionError:
            self.wrong += [f"left behind: {one}" for one in left(self.host, owner)]


def installation_of(data: Path) -> str:
    """The installation's own name."""
    db = sqlite3.connect(f"file:{data / 'fairway.db'}?mode=ro", uri=True)
    try:
        row = db.execute("select value from setting where name = 'installation'").fetchone()
    finally:
        db.close()
    return str(row[0]).strip('"')


def left(host: str, owner: str) -> list[str]:
    """Containers, stage networks and volumes of an installation."""
    with client(host) as api:
        things = [
            *api.get("/containers/json", params={"all": 1}).json(),
            *api.get("/networks").json(),
            *(api.get("/volumes").json().get("Volumes") or []),
        ]
    return [
        str(thing.get("Names") or thing.get("Name"))
        for thing in things
        if str((thing.get("Labels") or {}).get("fairway.owner", "")).startswith(f"{owner}/")
    ]


def unquoted(command: str) -> str:
    """What the echo of a traced command prints."""
    text = shown(command)
    return text[1:-1].replace("\\$", "$").replace("\\\\", "\\").replace('\\"', '"')


def difference(found: list[str], wanted: list[str]) -> str:
    """The first line that differs."""
    for number, (one, other) in enumerate(zip(found, wanted, strict=False), 1):
        if one != other:
            return f"line {number} of the log is {one!r}, not {other!r}"
    return f"the log has {len(found)} lines, not {len(wanted)}; it ends {found[-2:]}"


def _name(build: Build) -> str:
    return f"{build.repository} #{build.number}"
