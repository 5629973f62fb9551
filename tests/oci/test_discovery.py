"""Workflow 3 of the specification: content discovery."""

from __future__ import annotations

import json

import pytest
from spec import NOWHERE, OCI_INDEX, OCI_MANIFEST, Api, code, descriptor, sha


def following(answer: object) -> str:
    """Where the next page is."""
    headers = answer.headers  # type: ignore[attr-defined]
    link = headers["link"]
    assert link.endswith('; rel="next"')
    return link[1:].partition(">")[0]


def test_tags_are_listed_in_order(api: Api) -> None:
    body = api.image()
    for tag in ("v2", "V1", "v10", "_a", "0"):
        api.push(tag, body)
    answer = api("GET", "tags/list")
    assert answer.status_code == 200
    assert answer.json() == {"name": api.name, "tags": ["0", "V1", "_a", "v10", "v2"]}


def test_tags_come_in_pages(api: Api) -> None:
    body = api.image()
    tags = [f"v{number}" for number in range(5)]
    for tag in tags:
        api.push(tag, body)
    first = api("GET", "tags/list?n=2")
    assert first.json()["tags"] == tags[:2]
    second = api("GET", following(first))
    assert second.json()["tags"] == tags[2:4]
    third = api("GET", following(second))
    assert third.json()["tags"] == tags[4:]
    assert "link" not in third.headers


def test_tags_are_listed_after_one(api: Api) -> None:
    body = api.image()
    for tag in ("a", "b", "c"):
        api.push(tag, body)
    assert api("GET", "tags/list?last=a").json()["tags"] == ["b", "c"]
    assert api("GET", "tags/list?last=aa&n=1").json()["tags"] == ["b"]
    assert api("GET", "tags/list?last=z").json()["tags"] in ([], None)


def test_a_page_of_none_is_empty(api: Api) -> None:
    api.push("a", api.image())
    answer = api("GET", "tags/list?n=0")
    assert answer.status_code == 200
    assert answer.json()["tags"] in ([], None)
    assert "link" not in answer.headers


@pytest.mark.parametrize("count", ["x", "-1", "1.5", "9" * 30])
def test_a_page_size_that_is_none_is_refused(api: Api, count: str) -> None:
    api.push("a", api.image())
    answer = api("GET", f"tags/list?n={count}")
    assert answer.status_code == 400
    assert code(answer) == "PAGINATION_NUMBER_INVALID"


def test_tags_of_an_unknown_repository_are_not_found(api: Api) -> None:
    answer = api("GET", "tags/list")
    assert answer.status_code == 404
    assert code(answer) == "NAME_UNKNOWN"


def test_repositories_are_listed_in_pages(api: Api) -> None:
    api.push("a", api.image())
    names: list[str] = []
    answer = api("GET", "/v2/_catalog?n=2")
    while True:
        assert answer.status_code == 200
        names += answer.json()["repositories"]
        if "link" not in answer.headers:
            break
        answer = api("GET", following(answer))
    assert api.name in names
    assert names == sorted(set(names))


def referrer(api: Api, subject: bytes, text: str, kind: str = "", **more: object) -> str:
    """Push a manifest with a subject."""
    fields: dict[str, object] = {"subject": descriptor(subject, OCI_MANIFEST), **more}
    if kind:
        fields["artifactType"] = kind
    body = api.image(text, **fields)
    return api.push(sha(body), body)


def test_a_digest_without_referrers_has_an_empty_list(api: Api) -> None:
    digest = api.push("v1", api.image())
    for one in (digest, NOWHERE):
        answer = api("GET", f"referrers/{one}")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == OCI_INDEX
        body = answer.json()
        assert body["schemaVersion"] == 2
        assert body["mediaType"] == OCI_INDEX
        assert body["manifests"] == []


def test_an_unknown_repository_has_no_referrers(ours: Api) -> None:
    answer = ours("GET", f"referrers/{NOWHERE}")
    assert (answer.status_code, answer.json()["manifests"]) == (200, [])


def test_referrers_are_listed_with_type_and_annotations(api: Api) -> None:
    subject = api.image()
    api.push("v1", subject)
    notes = {"org.example.note": "yes"}
    typed = referrer(api, subject, "1", "application/x.sbom", annotations=notes)
    plain = referrer(api, subject, "2")
    found = {
        one["digest"]: one for one in api("GET", f"referrers/{sha(subject)}").json()["manifests"]
    }
    assert set(found) == {typed, plain}
    assert found[typed]["mediaType"] == OCI_MANIFEST
    assert found[typed]["artifactType"] == "application/x.sbom"
    assert found[typed]["annotations"] == notes
    assert found[typed]["size"] == len(api.get(typed).content)
    assert found[plain]["artifactType"] == "application/vnd.oci.image.config.v1+json"


def test_referrers_of_a_digest_that_is_not_here_are_listed(api: Api) -> None:
    subject = b'{"not": "pushed"}'
    digest = referrer(api, subject, "early")
    assert [
        one["digest"] for one in api("GET", f"referrers/{sha(subject)}").json()["manifests"]
    ] == [digest]


def test_referrers_are_filtered(api: Api) -> None:
    subject = api.image()
    api.push("v1", subject)
    wanted = referrer(api, subject, "1", "application/x.sbom")
    referrer(api, subject, "2", "application/x.other")
    answer = api("GET", f"referrers/{sha(subject)}?artifactType=application/x.sbom")
    assert answer.headers["oci-filters-applied"] == "artifactType"
    assert [one["digest"] for one in answer.json()["manifests"]] == [wanted]


def test_no_filter_is_said_to_be_applied_when_none_was(ours: Api) -> None:
    assert "oci-filters-applied" not in ours("GET", f"referrers/{NOWHERE}").headers


def test_referrers_come_in_pages(ours: Api) -> None:
    subject = ours.image()
    ours.push("v1", subject)
    kind = "application/x.sbom"
    pushed = [referrer(ours, subject, str(number), kind) for number in range(5)]
    referrer(ours, subject, "other", "application/x.other")
    found: list[str] = []
    answer = ours("GET", f"referrers/{sha(subject)}?n=2&artifactType={kind}")
    while True:
        found += [one["digest"] for one in answer.json()["manifests"]]
        if "link" not in answer.headers:
            break
        answer = ours("GET", following(answer))
    assert found == pushed


def test_an_index_may_refer(ours: Api) -> None:
    subject = ours.image()
    ours.push("v1", subject)
    index = {
        "schemaVersion": 2,
        "mediaType": OCI_INDEX,
        "artifactType": "application/x.many",
        "manifests": [],
        "subject": descriptor(subject, OCI_MANIFEST),
    }
    body = json.dumps(index).encode()
    answer = ours.put(sha(body), body, OCI_INDEX)
    assert answer.headers["oci-subject"] == sha(subject)
    [one] = ours("GET", f"referrers/{sha(subject)}").json()["manifests"]
    assert (one["mediaType"], one["artifactType"]) == (OCI_INDEX, "application/x.many")


def test_referrers_of_what_is_no_digest_are_refused(ours: Api) -> None:
    answer = ours("GET", "referrers/sha256:abc")
    assert answer.status_code == 400
    assert code(answer) == "DIGEST_INVALID"
    answer = ours("GET", f"referrers/{NOWHERE}?last=x")
    assert answer.status_code == 400


def test_a_page_of_referrers_stays_small(ours: Api) -> None:
    subject = ours.image()
    ours.push("v1", subject)
    notes = {"x": "y" * 1_500_000}
    pushed = [referrer(ours, subject, str(number), annotations=notes) for number in range(4)]
    first = ours("GET", f"referrers/{sha(subject)}")
    assert len(first.content) < 4 * 1024 * 1024
    second = ours("GET", following(first))
    listed = [*first.json()["manifests"], *second.json()["manifests"]]
    assert [one["digest"] for one in listed] == pushed
    assert "link" not in second.headers
