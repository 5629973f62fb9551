"""`kind: Delivery`: what it says, read strictly. An unknown field or value is an error with its
path.

    services:      what is delivered
    environments:  in order; a release reaches one after it was good in the one before
      gates:       what must hold before; `all`, `any` and six kinds of leaves
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from cronsim import CronSim, CronSimError
from msgspec import Struct

from fairway.kit import clock
from fairway.model.errors import InvalidInput
from fairway.model.release import Service

GROUP: Final = "fairway.dev"
KIND: Final = "Delivery"
_NAME: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_REGISTRY: Final = re.compile(r"[a-z0-9]+([._-][a-z0-9]+)*(/[a-z0-9]+([._-][a-z0-9]+)*)*")
_VALUE: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_DURATION: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_UNITS_MS: Final = (86_400_000, 3_600_000, 60_000, 1000)
SERVICE: Final = "{service}"


class _Strict(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Nothing unknown."""


class ApprovalGate(_Strict, frozen=True, kw_only=True):
    """So many people's yes to this very release; one no ends it."""

    count: int = 1
    team: str = ""  # members only; "": whoever may approve there
    own_change: bool = False  # whether the author of one of its commits may


class QaGate(_Strict, frozen=True, kw_only=True):
    """The verdict of a named person on this release."""

    user: str


class SoakGate(_Strict, frozen=True, kw_only=True):
    """So long it has been good in the environment before."""

    duration: str


class WindowGate(_Strict, frozen=True, kw_only=True):
    """Only from each minute that `schedule` (cron) names, for `duration`."""

    schedule: str
    duration: str
    timezone: str = "UTC"


class AnalysisCheck(_Strict, frozen=True, kw_only=True):
    """An AnalysisRun of a template of the environment's namespace."""

    template: str
    args: dict[str, str] = {}
    cluster_scope: bool = False


class PipelineCheck(_Strict, frozen=True, kw_only=True):
    """A build of a repository's pipelines with the event `custom`."""

    repository: str = ""  # "" is the service's
    branch: str = ""  # "" is the default branch
    parameters: dict[str, str] = {}


class VerificationGate(_Strict, frozen=True, kw_only=True):
    """Exactly one of the two."""

    analysis: AnalysisCheck | None = None
    pipeline: PipelineCheck | None = None

    @property
    def key(self) -> str:
        """Its name in records. The same check in one environment runs once for a release."""
        if self.analysis is not None:
            scope = "cluster-analysis" if self.analysis.cluster_scope else "analysis"
            return f"{scope}/{self.analysis.template}{_told(self.analysis.args)}"
        assert self.pipeline is not None  # noqa: S101 the reader checked
        place = f"{self.pipeline.repository}@{self.pipeline.branch}"
        return f"pipeline/{place}{_told(self.pipeline.parameters)}"


def _told(given: Mapping[str, str]) -> str:
    return "?" + "&".join(f"{k}={v}" for k, v in sorted(given.items())) if given else ""


class Gate(_Strict, frozen=True, kw_only=True):
    """Exactly one of these."""

    all: tuple[Gate, ...] | None = None
    any: tuple[Gate, ...] | None = None
    approval: ApprovalGate | None = None
    qa: QaGate | None = None
    soak: SoakGate | None = None
    window: WindowGate | None = None
    verification: VerificationGate | None = None


Gates = Gate | Literal["none"] | None


class Configuration(_Strict, frozen=True, kw_only=True):
    """Where Git says what an environment runs. `{service}` in `path` is the service's name."""

    repository: str
    path: str
    branch: str = ""  # "" is the default branch


class Override(_Strict, frozen=True, kw_only=True):
    """What is different for one service in one environment. `gates: none` asks for nothing."""

    application: str = ""
    path: str = ""
    gates: Gates = None


class Environment(_Strict, frozen=True, kw_only=True):
    """One environment."""

    name: str
    cluster: str = "in-cluster"
    application: str = ""  # {service}-ENVIRONMENT unless given
    registry: str = ""  # the first part of its names in our registry; "" is its name
    configuration: Configuration
    follows: str = ""  # a range of versions that its applications follow (the first one only)
    admits: Literal["any", "promoted"] = "any"  # which images its pods may have
    gates: Gates = None
    verification: VerificationGate | None = None  # after each deployment, there
    services: dict[str, Override] = {}

    @property
    def home(self) -> str:
        """The first part of its names in our registry."""
        return self.registry or self.name

    def application_of(self, service: str) -> str:
        """The name of the Application that deploys a service here."""
        given = self.services[service].application if service in self.services else ""
        return (given or self.application or f"{SERVICE}-{self.name}").replace(SERVICE, service)

    def path_of(self, service: str) -> str:
        """The folder or file in Git that says what runs of a service here."""
        given = self.services[service].path if service in self.services else ""
        return (given or self.configuration.path).replace(SERVICE, service).strip("/")

    def gates_of(self, service: str) -> Gate | None:
        """What must hold before a release of a service comes here; None for nothing."""
        own = self.services[service].gates if service in self.services else None
        found = self.gates if own is None else own
        return found if isinstance(found, Gate) else None


class ServiceSpec(_Strict, frozen=True, kw_only=True):
    """A service as it is written."""

    name: str
    repository: str
    chart: str = "chart"
    image: str = ""
    digest_value: str = "image.digest"

    def service(self) -> Service:
        """As the records know it."""
        return Service(
            name=self.name,
            repository=self.repository,
            chart=self.chart.strip("/"),
            image=self.image,
            digest_value=self.digest_value,
        )


class Spec(_Strict, frozen=True, kw_only=True):
    """`spec`."""

    services: tuple[ServiceSpec, ...]
    environments: tuple[Environment, ...]
    tests: PipelineCheck | None = None  # the integration suite, for `fairway test`


class Delivery(Struct, frozen=True, kw_only=True):
    """A delivery that can be carried out."""

    name: str
    services: tuple[Service, ...]
    environments: tuple[Environment, ...]
    tests: PipelineCheck | None = None

    def environment(self, name: str) -> Environment | None:
        """The one of that name."""
        return next((one for one in self.environments if one.name == name), None)

    def service(self, name: str) -> Service | None:
        """The one of that name."""
        return next((one for one in self.services if one.name == name), None)

    def before(self, name: str) -> Environment | None:
        """The environment before that one."""
        names = [one.name for one in self.environments]
        at = names.index(name)
        return self.environments[at - 1] if at else None


def read(obj: Mapping[str, Any]) -> Delivery:
    """A Delivery object. Raises `InvalidInput` (code `bad-delivery`) with the path in `where`."""
    try:
        spec = msgspec.convert(obj.get("spec"), Spec)
    except msgspec.ValidationError as error:
        said, _, path = str(error).partition(" - at `$")
        raise _bad(f"spec{path.rstrip('`')}", said) from None
    for path, problem in _problems(spec):
        raise _bad(path, problem)
    return Delivery(
        name=str(obj["metadata"]["name"]),
        services=tuple(one.service() for one in spec.services),
        environments=spec.environments,
        tests=spec.tests,
    )


def _bad(path: str, said: str) -> InvalidInput:
    return InvalidInput(
        said,
        code="bad-delivery",
        where=path,
        remedy="`docs/reference/delivery.md` has every field",
    )


def _problems(spec: Spec) -> Iterator[tuple[str, str]]:
    yield from _named("spec.services", [one.name for one in spec.services])
    yield from _named("spec.environments", [one.name for one in spec.environments])
    for at, service in enumerate(spec.services):
        path = f"spec.services[{at}]"
        if service.repository.count("/") != 1:
            yield f"{path}.repository", f"{service.repository!r} is not ORGANISATION/NAME"
        if not _VALUE.fullmatch(service.digest_value):
            yield f"{path}.digestValue", f"{service.digest_value!r} is not a path such as a.b"
    if spec.tests is not None and spec.tests.repository.count("/") != 1:
        yield "spec.tests.repository", "it is not ORGANISATION/NAME"
    known = {one.name for one in spec.services}
    homes: dict[str, int] = {}
    for at, environment in enumerate(spec.environments):
        path = f"spec.environments[{at}]"
        yield from _environment(path, environment, known, first=at == 0)
        if environment.home in homes:
            yield f"{path}.registry", f"another environment has {environment.home!r} already"
        homes[environment.home] = at


def _named(path: str, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    if not names:
        yield path, "at least one is needed"
    for at, name in enumerate(names):
        if not _NAME.fullmatch(name):
            yield f"{path}[{at}].name", f"{name!r} is not a name: lower-case letters, digits, `-`"
        if name in names[:at]:
            yield f"{path}[{at}].name", f"{name!r} is there twice"


def _environment(
    path: str, found: Environment, known: set[str], *, first: bool
) -> Iterator[tuple[str, str]]:
    if not _REGISTRY.fullmatch(found.home):
        yield f"{path}.registry", f"{found.home!r} cannot be part of an image's name"
    if found.follows and not first:
        yield f"{path}.follows", "only the first environment can follow a range"
    if found.configuration.repository.count("/") != 1:
        yield f"{path}.configuration.repository", "it is not ORGANISATION/NAME"
    yield from _placeholders(f"{path}.configuration.path", found.configuration.path)
    yield from _placeholders(f"{path}.application", found.application)
    yield from _gates(f"{path}.gates", found.gates, first=first)
    if found.verification is not None:
        yield from _verification(f"{path}.verification", found.verification)
    for name, override in found.services.items():
        place = f"{path}.services.{name}"
        if name not in known:
            yield place, f"there is no service {name!r}"
        yield from _placeholders(f"{place}.path", override.path)
        yield from _placeholders(f"{place}.application", override.application)
        yield from _gates(f"{place}.gates", override.gates, first=first)


def _placeholders(path: str, text: str) -> Iterator[tuple[str, str]]:
    if re.search(r"[{}]", text.replace(SERVICE, "")):
        yield path, "`{service}` is the only placeholder"
    if ".." in text.split("/"):
        yield path, "it leads out of the repository"


def _gates(path: str, gates: Gates, *, first: bool) -> Iterator[tuple[str, str]]:
    if not isinstance(gates, Gate):
        return
    given = {name: value for name in gates.__struct_fields__ if (value := getattr(gates, name))
             is not None}  # fmt: skip
    if len(given) != 1:
        yield path, "a gate is exactly one of " + ", ".join(gates.__struct_fields__)
        return
    name, value = next(iter(given.items()))
    if name in {"all", "any"}:
        if not value:
            yield f"{path}.{name}", "it is empty: leave `gates` out to ask for nothing"
        for at, one in enumerate(value):
            yield from _gates(f"{path}.{name}[{at}]", one, first=first)
        return
    if first and name in {"soak", "verification"}:
        yield f"{path}.{name}", "there is no environment before the first one"
    yield from _leaf(f"{path}.{name}", value)


def _leaf(path: str, value: object) -> Iterator[tuple[str, str]]:
    match value:
        case ApprovalGate(count=count) if not 1 <= count <= 20:
            yield f"{path}.count", f"{count} is not from 1 to 20"
        case QaGate(user=""):
            yield f"{path}.user", "it names nobody"
        case SoakGate(duration=text):
            yield from _duration_problem(f"{path}.duration", text)
        case WindowGate():
            yield from _window(path, value)
        case VerificationGate():
            yield from _verification(path, value)


def _window(path: str, value: WindowGate) -> Iterator[tuple[str, str]]:
    yield from _duration_problem(f"{path}.duration", value.duration)
    try:
        ZoneInfo(value.timezone)
    except (KeyError, ValueError, OSError):
        yield f"{path}.timezone", f"there is no time zone {value.timezone!r}"
        return
    try:
        CronSim(value.schedule, moment(clock.now(), value.timezone))
    except CronSimError as error:
        yield f"{path}.schedule", f"{value.schedule!r} is not a cron expression: {error}"


def _verification(path: str, value: VerificationGate) -> Iterator[tuple[str, str]]:
    if (value.analysis is None) == (value.pipeline is None):
        yield path, "a verification is exactly one of analysis, pipeline"


def _duration_problem(path: str, text: str) -> Iterator[tuple[str, str]]:
    if milliseconds(text) is None:
        yield path, f"{text!r} is not a duration such as 90s, 5m or 1h30m"


def milliseconds(text: str) -> int | None:
    """A duration; None for what is none. `0s` is one."""
    found = _DURATION.fullmatch(text)
    if found is None or not text:
        return None
    parts = zip(found.groups(), _UNITS_MS, strict=True)
    return sum(int(number) * unit for number, unit in parts if number)


def moment(at: int, zone: str) -> datetime.datetime:
    """A time of day (milliseconds UTC) in a zone."""
    return datetime.datetime.fromtimestamp(at / 1000, ZoneInfo(zone))
