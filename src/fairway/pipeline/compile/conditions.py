"""`trigger` and `when`: which builds a pipeline or step is for.

Exclude wins over include, an empty include matches everything. What the builds' facts are is in
`Subject`, so that the same function serves pipelines, steps and `compile`'s explanations.
"""

from __future__ import annotations

from msgspec import Struct

from fairway.pipeline.compile import glob
from fairway.pipeline.compile.context import Context


class Condition(Struct, frozen=True):
    """One list of patterns to match and one to leave out."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    line: int = 0
    column: int = 0

    def matches(self, name: str) -> bool:
        """Whether a value passes."""
        if any(glob.match(pattern, name) for pattern in self.exclude):
            return False
        return not self.include or any(glob.match(pattern, name) for pattern in self.include)

    def matches_any(self, names: tuple[str, ...]) -> bool:
        """Whether at least one of several values passes (changed files)."""
        return any(self.matches(name) for name in names)

    def says(self, word: str) -> bool:
        """Whether a word is asked for by name or pattern (`status`)."""
        return bool(self.include or self.exclude) and self.matches(word)

    def text(self) -> str:
        """As a sentence's part."""
        parts = []
        if self.include:
            parts.append(", ".join(self.include))
        if self.exclude:
            parts.append(f"not {', '.join(self.exclude)}")
        return " but ".join(parts)


class Conditions(Struct, frozen=True, kw_only=True):
    """All conditions of a pipeline's `trigger` or a step's `when`."""

    action: Condition = Condition()
    branch: Condition = Condition()
    cron: Condition = Condition()
    event: Condition = Condition()
    instance: Condition = Condition()
    paths: Condition = Condition()
    ref: Condition = Condition()
    repo: Condition = Condition()
    status: Condition = Condition()
    target: Condition = Condition()


class Subject(Struct, frozen=True, kw_only=True):
    """What conditions are held against."""

    action: str = ""
    branch: str = ""
    cron: str = ""
    event: str = ""
    instance: str = ""
    ref: str = ""
    repo: str = ""
    target: str = ""
    paths: tuple[str, ...] | None = None


def subject(context: Context) -> Subject:
    """The facts of a context that conditions look at. A pull request's branch is its target."""
    build = context.build
    return Subject(
        action=build.action,
        branch=build.target,
        cron=build.cron,
        event=build.event,
        instance=context.system.host,
        ref=build.ref,
        repo=context.repo.slug,
        target=build.deploy_to,
        paths=build.changed_paths,
    )


class Verdict(Struct, frozen=True, kw_only=True):
    """Whether conditions match, and when not, which one and why."""

    matched: bool
    why: str = ""


_ORDER = ("branch", "event", "action", "ref", "repo", "target", "cron")


def judge(conditions: Conditions, about: Subject, *, instance: bool) -> Verdict:
    """Hold conditions against a build. `instance` is looked at for steps only, as Drone does."""
    names = (*_ORDER, "instance") if instance else _ORDER
    for name in names:
        condition: Condition = getattr(conditions, name)
        value: str = getattr(about, name)
        if not condition.matches(value):
            return Verdict(
                matched=False, why=f"{name} is '{value}', asked for is {condition.text()}"
            )
    if conditions.paths.include or conditions.paths.exclude:
        return _paths(conditions.paths, about.paths)
    return Verdict(matched=True)


def _paths(condition: Condition, changed: tuple[str, ...] | None) -> Verdict:
    if changed is None or condition.matches_any(changed):
        return Verdict(matched=True)
    return Verdict(matched=False, why=f"no changed file matches paths {condition.text()}")
