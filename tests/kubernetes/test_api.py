"""Our client's contracts on a real API server, behind a proxy where things go wrong."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest
from api_ground import RealGround, api_server, real_ground

from fairway.testing.apiserver import ApiServer
from fairway.testing.contracts.kube import ObjectsContract
from fairway.testing.contracts.kube_informers import AbsentKindsContract, InformersContract
from fairway.testing.contracts.kube_requests import (
    ApplyContract,
    EvictionContract,
    FaultsContract,
    KindsContract,
    RefusalContract,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    folder = tmp_path_factory.mktemp("api")
    with api_server(folder, os.environ.get("FAIRWAY_NATIVE__DIR", "")) as running:
        yield running


@pytest.fixture
async def ground(server: ApiServer) -> AsyncIterator[RealGround]:
    async with real_ground(server) as made:
        yield made


class TestObjects(ObjectsContract):
    pass


class TestApply(ApplyContract):
    pass


class TestRefusals(RefusalContract):
    pass


class TestKinds(KindsContract):
    pass


class TestFaults(FaultsContract):
    pass


class TestEviction(EvictionContract):
    pass


class TestInformers(InformersContract):
    pass


class TestAbsentKinds(AbsentKindsContract):
    pass
