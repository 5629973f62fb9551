"""Who may what: challenges, the token service, basic authentication."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from people import People
from setting import our_deps
from spec import NOWHERE, OCTETS, Api, code, sha

from fairway.image.registry import registry_app
from fairway.kit import clock
from fairway.testing.http import served

ANN, BOB = ("ann", "ann-token"), ("bob", "bob-token")


@pytest.fixture(scope="module")
def people() -> People:
    """Ann may everything, Bob may push to team/, anybody may pull from public/."""
    return People()


@pytest.fixture(scope="module")
def url(people: People, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Our registry, with those people."""
    deps = our_deps(tmp_path_factory.mktemp("rights"), access=people)
    with served(registry_app(deps)) as served_at:
        yield served_at
    deps.db.close()


@pytest.fixture
def nobody(url: str) -> Iterator[httpx.Client]:
    """A client without credentials."""
    with httpx.Client(base_url=url, timeout=90) as client:
        yield client


def challenge(answer: httpx.Response) -> dict[str, str]:
    """What a 401 asks for."""
    assert answer.status_code == 401
    assert code(answer) == "UNAUTHORIZED"
    header = answer.headers["www-authenticate"]
    assert header.startswith("Bearer ")
    return dict(re.findall(r'([a-z]+)="([^"]*)"', header))


def token(client: httpx.Client, auth: tuple[str, str] | None, *scopes: str) -> dict[str, object]:
    """Ask the token service."""
    more = {"auth": auth} if auth else {}
    query = [("service", "fairway"), *(("scope", scope) for scope in scopes)]
    answer = client.get("/v2/token", params=query, **more)
    assert answer.status_code == 200, answer.text
    assert answer.json()["token"] == answer.json()["access_token"]
    assert answer.json()["expires_in"] >= 60
    return answer.json()


def bearer(given: dict[str, object]) -> dict[str, str]:
    """A header with a token."""
    return {"Authorization": f"Bearer {given['token']}"}


def test_nobody_is_asked_to_log_in(nobody: httpx.Client, url: str) -> None:
    asked = challenge(nobody.get("/v2/"))
    assert asked == {"realm": f"{url}/v2/token", "service": "fairway"}


def test_a_push_without_credentials_is_told_what_it_needs(nobody: httpx.Client) -> None:
    asked = challenge(nobody.post("/v2/team/x/blobs/uploads/"))
    assert asked["scope"] == "repository:team/x:pull,push"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("HEAD", f"blobs/{NOWHERE}"),
        ("GET", f"blobs/{NOWHERE}"),
        ("DELETE", f"blobs/{NOWHERE}"),
        ("POST", "blobs/uploads/"),
        ("PATCH", "blobs/uploads/1"),
        ("PUT", "blobs/uploads/1"),
        ("GET", "blobs/uploads/1"),
        ("DELETE", "blobs/uploads/1"),
        ("HEAD", "manifests/v1"),
        ("GET", "manifests/v1"),
        ("PUT", "manifests/v1"),
        ("DELETE", "manifests/v1"),
        ("GET", "tags/list"),
        ("GET", f"referrers/{NOWHERE}"),
    ],
)
def test_nothing_is_open(nobody: httpx.Client, method: str, path: str) -> None:
    assert nobody.request(method, f"/v2/team/x/{path}").status_code == 401
    refused = nobody.request(method, f"/v2/private/x/{path}", auth=BOB)
    assert refused.status_code == 403
    if method != "HEAD":
        assert code(refused) == "DENIED"


def test_basic_credentials_are_enough(url: str, nobody: httpx.Client) -> None:
    assert nobody.get("/v2/", auth=BOB).status_code == 200
    answer = nobody.post("/v2/team/x/blobs/uploads/", auth=BOB)
    assert answer.status_code == 202


def test_a_wrong_password_is_refused_everywhere(nobody: httpx.Client) -> None:
    for auth in (("bob", "wrong"), ("nobody", "bob-token"), ("", "")):
        assert nobody.get("/v2/", auth=auth).status_code == 401
        refused = nobody.get("/v2/token", auth=auth)
        assert refused.status_code == 401
        assert code(refused) == "UNAUTHORIZED"
    assert nobody.get("/v2/", headers={"Authorization": "Basic !"}).status_code == 401
    assert nobody.get("/v2/", headers={"Authorization": "nonsense"}).status_code == 401


def test_a_token_does_what_it_was_made_for(nobody: httpx.Client) -> None:
    given = token(nobody, BOB, "repository:team/x:pull,push")
    assert given["scope"] == "repository:team/x:pull,push"
    headers = bearer(given)
    assert nobody.get("/v2/", headers=headers).status_code == 200
    start = nobody.post("/v2/team/x/blobs/uploads/", headers=headers)
    done = nobody.put(
        start.headers["location"],
        params={"digest": sha(b"x")},
        content=b"x",
        headers={**headers, **OCTETS},
    )
    assert done.status_code == 201


def test_a_token_does_nothing_else(nobody: httpx.Client) -> None:
    headers = bearer(token(nobody, BOB, "repository:team/x:pull"))
    asked = challenge(nobody.post("/v2/team/x/blobs/uploads/", headers=headers))
    assert asked["error"] == "insufficient_scope"
    assert asked["scope"] == "repository:team/x:pull,push"
    assert nobody.get("/v2/team/y/tags/list", headers=headers).status_code == 401


def test_a_token_gives_no_right_that_its_owner_lacks(nobody: httpx.Client) -> None:
    given = token(nobody, BOB, "repository:private/x:pull,push", "repository:team/x:*")
    assert given["scope"] == "repository:private/x: repository:team/x:pull,push"
    refused = nobody.get("/v2/private/x/tags/list", headers=bearer(given))
    assert refused.status_code == 403
    assert code(refused) == "DENIED"


def test_anybody_gets_a_token_for_what_is_public(nobody: httpx.Client, url: str) -> None:
    with Api(url, "public/x") as ann:
        ann.http.auth = ANN
        digest = ann.push("v1", ann.image())
    given = token(nobody, None, "repository:public/x:pull,push")
    answer = nobody.get("/v2/public/x/manifests/v1", headers=bearer(given))
    assert answer.headers["docker-content-digest"] == digest
    assert nobody.get("/v2/public/x/manifests/v1").status_code == 200
    refused = nobody.post("/v2/public/x/blobs/uploads/", headers=bearer(given))
    assert refused.status_code == 401


def test_to_push_is_not_to_delete(nobody: httpx.Client) -> None:
    refused = nobody.delete(f"/v2/team/x/manifests/{NOWHERE}", auth=BOB)
    assert refused.status_code == 403
    assert code(refused) == "DENIED"
    assert nobody.delete(f"/v2/team/x/manifests/{NOWHERE}", auth=ANN).status_code == 404


def test_a_mount_needs_the_right_to_pull_its_source(nobody: httpx.Client, url: str) -> None:
    with Api(url, "private/x") as ann:
        ann.http.auth = ANN
        digest = ann.blob(b"secret")
    where = f"/v2/team/x/blobs/uploads/?mount={digest}&from=private/x"
    assert nobody.post(where, auth=BOB).status_code == 202
    assert nobody.head(f"/v2/team/x/blobs/{digest}", auth=BOB).status_code == 404
    assert nobody.post(where, auth=ANN).status_code == 201


def test_the_catalog_shows_what_one_may_pull(nobody: httpx.Client, url: str) -> None:
    with Api(url, "") as ann:
        ann.http.auth = ANN
        for name in ("private/y", "team/y", "public/y"):
            assert ann("POST", f"/v2/{name}/blobs/uploads/").status_code == 202
    mine = nobody.get("/v2/_catalog", auth=BOB).json()["repositories"]
    assert "team/y" in mine
    assert not [name for name in mine if name.startswith("private/")]
    page = nobody.get("/v2/_catalog?n=1&last=private/a", auth=BOB)
    assert page.json()["repositories"] == ["public/x"]
    assert page.headers["link"] == '</v2/_catalog?n=1&last=public%2Fx>; rel="next"'


def test_oauth_gives_a_token_for_a_password_and_then_for_a_refresh_token(
    nobody: httpx.Client,
) -> None:
    form = {
        "grant_type": "password",
        "username": "bob",
        "password": "bob-token",
        "service": "fairway",
        "client_id": "test",
        "access_type": "offline",
        "scope": "repository:team/x:pull,push",
    }
    first = nobody.post("/v2/token", data=form).json()
    assert nobody.get("/v2/", headers=bearer(first)).status_code == 200
    refresh = {
        "grant_type": "refresh_token",
        "refresh_token": first["refresh_token"],
        "scope": "repository:team/x:pull",
    }
    second = nobody.post("/v2/token", data=refresh).json()
    assert second["scope"] == "repository:team/x:pull"
    assert nobody.post("/v2/token", data={**refresh, "refresh_token": "bob-token"}).is_success
    assert nobody.post("/v2/token", data={**refresh, "refresh_token": "fwr_x"}).status_code == 401
    assert nobody.post("/v2/token", data={**form, "password": "wrong"}).status_code == 401
    assert nobody.post("/v2/token", data={"grant_type": "magic"}).status_code == 400


def test_a_refresh_token_opens_nothing_itself(nobody: httpx.Client) -> None:
    given = nobody.get("/v2/token", params={"offline_token": "true"}, auth=BOB).json()
    headers = {"Authorization": f"Bearer {given['refresh_token']}"}
    assert nobody.get("/v2/team/x/tags/list", headers=headers).status_code == 401


def test_a_token_makes_no_other(nobody: httpx.Client) -> None:
    given = token(nobody, BOB, "repository:team/x:pull")
    assert nobody.get("/v2/token", headers=bearer(given)).status_code == 401


def test_a_token_ends(nobody: httpx.Client) -> None:
    headers = bearer(token(nobody, BOB, "repository:team/x:pull"))
    read = clock.use(lambda: 0.0)
    clock.use(lambda: read() + 301)
    try:
        asked = challenge(nobody.get("/v2/team/x/tags/list", headers=headers))
    finally:
        clock.use(read)
    assert asked["realm"]


def test_a_token_ends_with_its_owners_rights(nobody: httpx.Client, people: People) -> None:
    people.passwords["eve"] = "eve-token"
    headers = bearer(token(nobody, ("eve", "eve-token"), "repository:team/x:pull"))
    assert nobody.get("/v2/team/x/tags/list", headers=headers).status_code in {200, 404}
    del people.passwords["eve"]
    assert nobody.get("/v2/team/x/tags/list", headers=headers).status_code == 401


def test_a_token_that_was_tampered_with_is_refused(nobody: httpx.Client) -> None:
    given = str(token(nobody, BOB, "repository:team/x:pull")["token"])
    for changed in (given[:-6] + "AAAAAA", given[:20], "fwr_", "fwr_!!!", given + "x"):
        headers = {"Authorization": f"Bearer {changed}"}
        assert nobody.get("/v2/team/x/tags/list", headers=headers).status_code == 401


def test_a_host_header_cannot_break_out_of_the_challenge(nobody: httpx.Client) -> None:
    answer = nobody.get("/v2/", headers={"Host": 'evil",scope="x'})
    assert answer.headers["www-authenticate"].count('"') == 4


def test_too_many_uploads_at_once_are_told_to_wait(tmp_path: Path) -> None:
    deps = our_deps(tmp_path, uploads_at_once=0)
    with served(registry_app(deps)) as url, Api(url, "a/b") as api:
        answer = api.finish(api.start(), sha(b"x"), b"x")
        assert answer.status_code == 429
        assert code(answer) == "TOOMANYREQUESTS"
        assert int(answer.headers["retry-after"]) > 0
    deps.db.close()


def test_a_refusal_is_heard_though_a_body_was_sent(nobody: httpx.Client) -> None:
    answer = nobody.patch("/v2/team/x/blobs/uploads/1", content=bytes(5_000_000))
    assert challenge(answer)["scope"] == "repository:team/x:pull,push"


@pytest.mark.parametrize(
    ("behind_proxy", "realm"), [(True, "https://hub.example.org/v2/token"), (False, None)]
)
def test_behind_a_proxy_the_realm_is_what_the_client_sees(
    tmp_path: Path, behind_proxy: bool, realm: str | None
) -> None:
    deps = our_deps(tmp_path, access=People(), behind_proxy=behind_proxy)
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "hub.example.org"}
    with served(registry_app(deps)) as url:
        asked = challenge(httpx.get(f"{url}/v2/", headers=headers, timeout=90))
    assert asked["realm"] == (realm or f"{url}/v2/token")
    deps.db.close()
