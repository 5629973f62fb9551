"""The API against what schemathesis makes of its own description: never a 5xx, never a surprise."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import openapi
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)

from fairway.api.app import api_app
from fairway.store.database import Database, sqlite_url
from fairway.store.schema import metadata
from fairway.testing.apiworld import ApiWorld, Current
from fairway.testing.clusters import ClusterWorld

CURRENT = Current()
APP = api_app(CURRENT)  # type: ignore[arg-type]  # it stands for Services
EXAMPLES = 10


@pytest.fixture(scope="module")
def token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An admin's, in a world that the fuzzer may do anything to."""
    folder = tmp_path_factory.mktemp("fuzz")
    database = Database(sqlite_url(folder / "fairway.db"), durable=False)
    metadata.create_all(database.engine)
    CURRENT.world = ApiWorld(database, folder)
    ClusterWorld(CURRENT.world)
    yield CURRENT.world.token("ada")
    database.close()
    shutil.rmtree(folder, ignore_errors=True)


schema = openapi.from_asgi("/api/v1/openapi.json", APP).exclude(
    path_regex="(/stream|/events)$",  # these do not end
)


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_operation_answers_as_it_says(case: schemathesis.Case, token: str) -> None:
    response = case.call(headers={"Authorization": f"Bearer {token}"})
    case.validate_response(
        response,
        checks=[
            not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
        ],
    )
