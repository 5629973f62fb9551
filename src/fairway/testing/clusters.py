"""A Kubernetes API of a test: answers by method and path, and remembers what was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import structs

from fairway.cluster.clusters import Clusters
from fairway.cluster.known import Kind, Own
from fairway.cluster.target import Target
from fairway.kit.secret import Secret
from fairway.model.errors import FairwayError, NotFound
from fairway.testing.apiworld import ApiWorld

Answer = Any | FairwayError | Callable[[Any], Any]


class FakeCluster:
    """`answers` by `METHOD /path`, without the query; a list gives one after the other.

    Objects that are applied, made or deleted below a collection's path are kept and listed.
    """

    def __init__(self, answers: Mapping[str, Answer] | None = None) -> None:
        self.answers = dict(answers or {})
        self.asked: list[tuple[str, str, Any]] = []
        self.kept: dict[str, Any] = {}
        self.open = 0

    async def request(
        self, method: str, path: str, body: Any = None, *, content_type: str = ""
    ) -> Any:
        """As `known.Client`."""
        del content_type
        self.asked.append((method, path, body))
        plain = path.partition("?")[0]
        answer = self.answers.get(f"{method} {plain}")
        if isinstance(answer, list):
            answer = answer.pop(0) if len(answer) > 1 else answer[0]
        if isinstance(answer, FairwayError):
            raise answer
        if answer is not None:
            return answer(body) if callable(answer) else answer
        return self._object(method, plain, body)

    def _object(self, method: str, path: str, body: Any) -> Any:
        if path.endswith("/selfsubjectaccessreviews"):
            return {"status": {"allowed": True}}
        if method == "PATCH":
            self.kept[path] = body
        elif method == "POST":
            self.kept[f"{path}/{body['metadata']['name']}"] = body
        elif method == "DELETE":
            self._present(path)
            del self.kept[path]
        elif path.rpartition("/")[2] in {"secrets", "nodes", "pods"}:
            below = [one for at, one in self.kept.items() if at.rpartition("/")[0] == path]
            return {"items": below}
        else:
            return self._present(path)
        return body

    def _present(self, path: str) -> Any:
        if path not in self.kept:
            raise NotFound(f"no {path}")
        return self.kept[path]

    async def close(self) -> None:
        """As `known.Client`."""
        self.open -= 1


class FakeDial:
    """`known.Dial` to fakes by their server."""

    def __init__(self, **by_host: FakeCluster) -> None:
        self.by_host = by_host

    def __call__(self, target: Target, *, timeout_s: float) -> FakeCluster:
        """As `known.Dial`."""
        del timeout_s
        found = self.by_host[target.host]
        found.open += 1
        return found


HOME = Target(server="https://home", token=Secret("h"), insecure=True)


class FakeOwned:
    """One embedded cluster, `local`, and those that are created."""

    def __init__(self) -> None:
        self.clusters = [Own(name="local", kind=Kind.EMBEDDED, target=HOME)]

    async def own(self) -> list[Own]:
        """As `known.Owned`."""
        return self.clusters

    async def create(self, name: str) -> None:
        """As `known.Owned`."""
        self.clusters.append(Own(name=name, kind=Kind.EMBEDDED, reason="it starts"))

    async def delete(self, name: str) -> None:
        """As `known.Owned`."""
        self.clusters = [one for one in self.clusters if one.name != name]


class FakeDoor:
    """An open door."""

    def address(self, cluster: str) -> str:
        """As `known.Door`."""
        return f"https://127.0.0.1:16443/clusters/{cluster}"

    async def authority(self) -> str:
        """As `known.Door`."""
        return "PEM"


class ClusterWorld:
    """Gives an API world clusters: `home` is its own, `away` can be registered."""

    def __init__(self, world: ApiWorld) -> None:
        version = {"GET /version": {"gitVersion": "v1.36.3"}}
        self.home, self.away = FakeCluster(version), FakeCluster(version)
        self.owned = FakeOwned()
        dial = FakeDial(home=self.home, away=self.away)
        clusters = Clusters(world.database, self.owned, dial)
        world.services = structs.replace(world.services, clusters=clusters, door=FakeDoor())
