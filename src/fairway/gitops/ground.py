"""Where an application goes and whether it may: its project, its cluster, what it asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fairway.gitops import project, tracking
from fairway.gitops.application import Application
from fairway.gitops.live import LiveCluster
from fairway.gitops.objects import Condition
from fairway.gitops.state import Ground
from fairway.kube.fleet import Fleet, Member, find
from fairway.model.errors import FairwayError, NotFound

Projects = Callable[[str], project.Project | None]


class Unfit(Exception):
    """An application that cannot be compared as it is; `conditions` say why."""

    def __init__(self, conditions: list[Condition]) -> None:
        super().__init__("; ".join(one.message for one in conditions))
        self.conditions = conditions


class OutOfReach(Exception):
    """The application's cluster is known and cannot be read now."""


class Grounds:
    """Finds the ground of an application."""

    def __init__(
        self, fleet: Fleet, lives: Mapping[str, LiveCluster], projects: Projects, home: str
    ) -> None:
        """`home`: the namespace of Applications."""
        self._fleet = fleet
        self._lives = lives
        self._projects = projects
        self._home = home

    def of(self, app: Application) -> Ground:
        """Raises `Unfit`, and `OutOfReach` where its cluster cannot be read now."""
        asked = [one for one in app.problems if one.path.startswith("spec.")]
        if asked:
            raise Unfit([Condition(project.INVALID, str(one)) for one in asked])
        allowed = self._project(app)
        member = self.member(app)
        found = project.conditions(app, allowed, member)
        if found:
            raise Unfit(found)
        live = self.live(member.name)
        if live is None:
            raise OutOfReach(cluster_problem(member))
        return self._ground(app, member, live, allowed)

    def anyhow(self, app: Application, member: Member, live: LiveCluster) -> Ground:
        """The ground of an application that ends: without its project nothing limits it."""
        try:
            allowed = self._project(app)
        except Unfit:
            allowed = project.read(project.default(self._home))
        return self._ground(app, member, live, allowed)

    def live(self, cluster: str) -> LiveCluster | None:
        """What is live in a cluster; None while it cannot be read."""
        found = self._lives.get(cluster)
        return found if found is not None and found.is_ready else None

    def _ground(
        self, app: Application, member: Member, live: LiveCluster, allowed: project.Project
    ) -> Ground:
        return Ground(
            member=member,
            live=live,
            project=allowed,
            instance=tracking.instance(app.key.name, app.key.namespace, self._home),
        )

    def _project(self, app: Application) -> project.Project:
        try:
            found = self._projects(app.spec.project or project.DEFAULT)
        except FairwayError as error:
            raise Unfit([Condition(project.INVALID, str(error))]) from error
        if found is None:
            said = f"Application referencing project {app.spec.project} which does not exist"
            raise Unfit([Condition(project.INVALID, said)])
        return found

    def member(self, app: Application) -> Member:
        """The application's cluster. Raises `Unfit`."""
        place = app.spec.destination
        said = ""
        if place.server and place.name:
            said = (
                "application destination can't have both name and server defined: "
                f"{place.name} {place.server}"
            )
        elif not (place.server or place.name):
            said = "Destination server missing from app spec"
        else:
            try:
                return find(self._fleet, server=place.server, name=place.name)
            except NotFound as error:
                said = f"application destination is no cluster: {error.message}"
        raise Unfit([Condition(project.INVALID, said)])


def cluster_problem(member: Member) -> str:
    """Why a cluster's objects cannot be read."""
    why = str(member.problem) if member.problem else "it is being read for the first time"
    return f"the cluster {member.name} is out of reach: {why}"
