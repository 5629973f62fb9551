"""Built is not good: which digests become candidates, and why the others do not.

A digest is recorded when a step pushes it and judged when its build ends. It becomes a candidate
when the whole build of a push to the default branch, or of a tag, has passed; then the tag
`candidate` of its registry repository moves to it.
"""

from __future__ import annotations

from sqlalchemy import Connection

from fairway.model.build import BuildEvent
from fairway.model.built import BuildFacts, Candidate, Made, StepFact
from fairway.model.events import BuildFinished, CandidateMade, Event, ImageBuilt
from fairway.model.image import CANDIDATE_TAG
from fairway.model.status import Status
from fairway.store import images, outbox, registry
from fairway.store.database import Database


def why_not(facts: BuildFacts) -> str:
    """Why a build's images are no candidates; "" when they are."""
    build = f"build #{facts.number}"
    if facts.event == BuildEvent.PUSH and facts.branch != facts.default_branch:
        return f"{build} is of the branch {facts.branch}, not of {facts.default_branch}"
    if facts.event not in (BuildEvent.PUSH, BuildEvent.TAG):
        return f"{build} is of the event {facts.event}: only pushes and tags make candidates"
    culprit = next((step for step in facts.steps if _spoils(step)), None)
    if facts.status != Status.PASSED:
        cause = f": {_told(culprit)}" if culprit else f": {facts.error}" if facts.error else ""
        return f"{build} {facts.status}{cause}"
    if culprit is not None:
        return f"{build} is not whole: {_told(culprit)}"
    return ""


def _spoils(step: StepFact) -> bool:
    """Whether a step keeps its build from being whole.

    A skipped step of this build had its reason (a condition); one that is carried from a pipeline
    that did not pass was skipped because of a failure, and has never run.
    """
    if step.ignored or step.background:
        return False
    if step.status in (Status.FAILED, Status.ERRORED, Status.CANCELLED, Status.DECLINED):
        return True
    return bool(step.carried and step.status == Status.SKIPPED and not step.carried_passed)


def _told(step: StepFact) -> str:
    told = f"the step {step.name} of the pipeline {step.pipeline} {_WORDS[Status(step.status)]}"
    return f"{told} in build #{step.carried}" if step.carried else told


_WORDS = {
    Status.FAILED: "failed",
    Status.ERRORED: "could not be carried out",
    Status.CANCELLED: "was cancelled",
    Status.DECLINED: "was declined",
    Status.SKIPPED: "was skipped",
}


def chosen(made: list[Made]) -> dict[str, Made]:
    """For each registry repository the image that its tag `candidate` shall name.

    The last one built of the Dockerfile's last stage; an image of a `target` (a test stage) only
    where there is no other.
    """
    found: dict[str, Made] = {}
    for one in sorted(made, key=lambda each: (not each.target, each.id)):
        found[one.repository_name] = one
    return found


class Candidates:
    """The story's handler `image.judge`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def judge(self, event: Event, _key: str) -> None:
        """Record an image, or judge those of a build that ended. May be called again."""
        if isinstance(event, ImageBuilt):
            await self._database.write(images.record, event)
        elif isinstance(event, BuildFinished):
            await self._database.write(judge_build, event)


def judge_build(db: Connection, event: BuildFinished) -> list[Made]:
    """Judge a build's images in one transaction. Returns the candidates."""
    made = images.unjudged(db, event.build)
    if not made:
        return []
    reason = why_not(images.facts(db, event.build))
    if reason:
        images.judge(db, event.build, Candidate.NO, reason)
        return []
    last = chosen(made)
    registry.lock(db, [*last])  # another build of the same image may be judged at this moment
    images.judge(db, event.build, Candidate.YES, "")
    for path, one in last.items():
        if images.is_newest(db, event.build, path):
            images.point(db, path, CANDIDATE_TAG, one.digest)
    for one in made:
        outbox.append(db, _made(event, one), key=f"candidate/{one.id}")
    return made


def _made(event: BuildFinished, one: Made) -> CandidateMade:
    return CandidateMade(
        repository=event.repository,
        slug=event.slug,
        build=event.build,
        number=event.number,
        repository_name=one.repository_name,
        digest=one.digest,
    )
