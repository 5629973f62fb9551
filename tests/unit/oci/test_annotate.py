import base64
import json

import httpx
import pytest

from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput
from fairway.oci.annotate import Account, as_oci, base_url

OLD = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    "config": {
        "mediaType": "application/vnd.docker.container.image.v1+json",
        "digest": "sha256:c",
        "size": 1,
    },
    "layers": [
        {
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "digest": "sha256:l",
            "size": 2,
        },
        {"mediaType": "application/x-other", "digest": "sha256:o", "size": 3},
    ],
}


def test_an_engines_manifest_becomes_an_annotated_one_of_the_same_parts() -> None:
    new = json.loads(as_oci(json.dumps(OLD).encode(), {"a": "b"}))
    assert new["mediaType"] == "application/vnd.oci.image.manifest.v1+json"
    assert new["annotations"] == {"a": "b"}
    assert [part["digest"] for part in (new["config"], *new["layers"])] == [
        "sha256:c",
        "sha256:l",
        "sha256:o",
    ]
    assert [part["mediaType"].rpartition(".")[2] for part in new["layers"]] == [
        "tar+gzip",
        "application/x-other",
    ]


def test_annotations_that_are_there_stay() -> None:
    first = as_oci(json.dumps(OLD).encode(), {"a": "b"})
    assert json.loads(as_oci(first, {"c": "d"}))["annotations"] == {"a": "b", "c": "d"}


def test_an_index_is_no_image() -> None:
    with pytest.raises(InvalidInput):
        as_oci(b'{"manifests": []}', {})


def speaking(*schemes: str) -> httpx.AsyncClient:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.scheme not in schemes:
            raise httpx.ConnectError("not of this protocol")
        return httpx.Response(401)

    return httpx.AsyncClient(transport=httpx.MockTransport(answer))


@pytest.mark.parametrize(
    ("host", "insecure", "plain"),
    [
        ("127.0.0.1:5000", False, True),
        ("localhost:5000", False, True),
        ("[::1]:5000", False, True),
        ("registry.example:5000", True, True),
        ("registry.example", False, False),
        ("127.0.0.1.example", False, False),
    ],
)
async def test_plain_http_only_where_engines_use_it_and_tls_is_not_spoken(
    host: str, *, insecure: bool, plain: bool
) -> None:
    async with speaking("http") as http:
        found = await base_url(http, host, insecure=insecure)
        assert found == f"{'http' if plain else 'https'}://{host}"
    async with speaking("http", "https") as http:
        assert await base_url(http, host, insecure=insecure) == f"https://{host}"


def answering(challenge: str, good: str, seen: list[str]) -> httpx.MockTransport:
    def answer(request: httpx.Request) -> httpx.Response:
        given = request.headers.get("authorization", "")
        seen.append(f"{request.url.host} {given}")
        if request.url.host == "tokens":
            assert dict(request.url.params) == {"service": "s", "scope": "repository:a:pull"}
            return httpx.Response(200, json={"token": "T"})
        if given == good:
            return httpx.Response(200)
        return httpx.Response(401, headers={"www-authenticate": challenge})

    return httpx.MockTransport(answer)


BASIC = "Basic " + base64.b64encode(b"u:p").decode()
AUTH = Secret('{"username": "u", "password": "p"}')


def test_a_basic_challenge_is_answered_once() -> None:
    seen: list[str] = []
    with httpx.Client(
        transport=answering("Basic realm=x", BASIC, seen), auth=Account(AUTH)
    ) as http:
        assert http.get("http://r/v2/").status_code == 200
        assert http.get("http://r/v2/").status_code == 200
    assert seen == ["r ", f"r {BASIC}", f"r {BASIC}"]


def test_a_bearer_challenge_gets_a_token() -> None:
    seen: list[str] = []
    challenge = 'Bearer realm="http://tokens/t",service="s",scope="repository:a:pull"'
    with httpx.Client(transport=answering(challenge, "Bearer T", seen), auth=Account(AUTH)) as http:
        assert http.get("http://r/v2/").status_code == 200
    assert seen == ["r ", f"tokens {BASIC}", "r Bearer T"]


def test_without_credentials_a_refusal_is_an_answer() -> None:
    seen: list[str] = []
    with httpx.Client(
        transport=answering("Basic realm=x", BASIC, seen), auth=Account(None)
    ) as http:
        assert http.get("http://r/v2/").status_code == 401
