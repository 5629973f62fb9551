"""The simulated Kubernetes API passes what the real one passes, in virtual time."""

from __future__ import annotations

import pytest

from fairway.kube import Actor, Kube
from fairway.kube.kind import NAMESPACE
from fairway.testing.contracts.kube import ObjectsContract
from fairway.testing.contracts.kube_informers import AbsentKindsContract, InformersContract
from fairway.testing.contracts.kube_requests import (
    ApplyContract,
    EvictionContract,
    FaultsContract,
    KindsContract,
    RefusalContract,
)
from fairway.testing.kubefaults import Faults
from fairway.testing.simkube import SimApi, SimTransport

ACTOR = Actor(manager="test")


class SimGround:
    """`KubeGround` on the simulated API."""

    def __init__(self) -> None:
        self.api = SimApi()
        self.faults = Faults()
        self.kube = Kube(SimTransport(self.api, faults=self.faults), ACTOR)
        self.direct = Kube(SimTransport(self.api), ACTOR)
        self.namespace = "here"
        self.api.put((NAMESPACE.path(), "", self.namespace), {"metadata": {"name": self.namespace}})

    async def cut(self) -> None:
        """Cut the watches."""
        self.api.cut()

    async def restart(self) -> None:
        """Forget history."""
        self.api.restart()


@pytest.fixture
def ground() -> SimGround:
    return SimGround()


@pytest.mark.looptime
class TestObjects(ObjectsContract):
    pass


@pytest.mark.looptime
class TestApply(ApplyContract):
    pass


@pytest.mark.looptime
class TestRefusals(RefusalContract):
    pass


@pytest.mark.looptime
class TestKinds(KindsContract):
    pass


@pytest.mark.looptime
class TestFaults(FaultsContract):
    pass


@pytest.mark.looptime
class TestEviction(EvictionContract):
    pass


@pytest.mark.looptime
class TestInformers(InformersContract):
    pass


@pytest.mark.looptime
class TestAbsentKinds(AbsentKindsContract):
    pass
