"""Workflow 2 of the specification: push, blobs."""

from __future__ import annotations

import blake3
import httpx
import pytest
from spec import NOWHERE, OCTETS, Api, code, parts, sha

DATA = bytes(range(256)) * 100


def test_a_blob_is_pushed_by_post_and_put(api: Api) -> None:
    digest = sha(DATA)
    start = api("POST", "blobs/uploads/")
    assert start.status_code == 202
    assert start.headers["location"]
    answer = api.finish(start.headers["location"], digest, DATA)
    assert answer.status_code == 201
    assert answer.headers["docker-content-digest"] == digest
    assert api("GET", answer.headers["location"]).content == DATA


def test_a_blob_is_pushed_by_one_post(api: Api) -> None:
    digest = sha(DATA)
    answer = api("POST", f"blobs/uploads/?digest={digest}", content=DATA, headers=OCTETS)
    assert answer.status_code == 201
    assert api("GET", answer.headers["location"]).content == DATA


def test_one_post_with_a_wrong_digest_is_refused(ours: Api) -> None:
    answer = ours("POST", f"blobs/uploads/?digest={NOWHERE}", content=DATA, headers=OCTETS)
    assert answer.status_code == 400
    assert code(answer) == "DIGEST_INVALID"


def test_a_blob_is_streamed_by_patch(api: Api) -> None:
    answer = api("PATCH", api.start(), content=parts(DATA, DATA), headers=OCTETS)
    assert answer.status_code == 202
    assert answer.headers["range"] == f"0-{2 * len(DATA) - 1}"
    where = answer.headers["location"]
    assert api.finish(where, sha(DATA + DATA)).status_code == 201
    assert api("GET", f"blobs/{sha(DATA + DATA)}").content == DATA + DATA


def test_a_blob_is_pushed_in_chunks(api: Api) -> None:
    where = api.start()
    for start in range(0, 20000, 10000):
        headers = {**OCTETS, "Content-Range": f"{start}-{start + 9999}"}
        chunk = DATA[start : start + 10000]
        answer = api("PATCH", where, content=chunk, headers=headers)
        assert answer.status_code == 202
        assert answer.headers["range"] == f"0-{start + 9999}"
        where = answer.headers["location"]
        status = api("GET", where)
        assert status.status_code == 204
        assert status.headers["range"] == f"0-{start + 9999}"
        where = status.headers["location"]
    headers = {"Content-Range": f"20000-{len(DATA) - 1}"}
    answer = api.finish(where, sha(DATA), DATA[20000:], headers=headers)
    assert answer.status_code == 201
    assert api("GET", f"blobs/{sha(DATA)}").content == DATA


@pytest.mark.parametrize("start", [0, 5000, 10001, 30000])
def test_a_chunk_that_does_not_follow_is_refused(api: Api, start: int) -> None:
    headers = {**OCTETS, "Content-Range": "0-9999"}
    answer = api("PATCH", api.start(), content=DATA[:10000], headers=headers)
    where = answer.headers["location"]
    headers = {**OCTETS, "Content-Range": f"{start}-{start + 99}"}
    answer = api("PATCH", where, content=DATA[start : start + 100], headers=headers)
    assert answer.status_code == 416
    assert api("GET", where).headers["range"] == "0-9999"


def test_a_refused_chunk_says_where_to_go_on(ours: Api) -> None:
    headers = {**OCTETS, "Content-Range": "7-9"}
    answer = ours("PATCH", ours.start(), content=b"abc", headers=headers)
    assert answer.status_code == 416
    assert code(answer) == "RANGE_INVALID"
    assert answer.headers["range"] == "0-0"
    assert answer.headers["location"]


def test_a_last_chunk_that_does_not_follow_is_refused(ours: Api) -> None:
    answer = ours.finish(ours.start(), sha(DATA), DATA, headers={"Content-Range": "5-25604"})
    assert answer.status_code == 416


def test_a_malformed_content_range_is_refused(api: Api) -> None:
    for span in ("x-y", "5-1", "-"):
        headers = {**OCTETS, "Content-Range": span}
        answer = api("PATCH", api.start(), content=b"abc", headers=headers)
        assert answer.status_code in {400, 416}, span


def test_a_chunk_of_another_length_than_announced_is_refused(api: Api) -> None:
    headers = {**OCTETS, "Content-Range": "0-9"}
    answer = api("PATCH", api.start(), content=b"abc", headers=headers)
    assert answer.status_code in {400, 416}
    assert code(answer) in {"SIZE_INVALID", "BLOB_UPLOAD_INVALID", "RANGE_INVALID"}


def test_a_wrong_digest_is_refused(api: Api) -> None:
    answer = api.finish(api.start(), NOWHERE, DATA)
    assert answer.status_code == 400
    assert code(answer) == "DIGEST_INVALID"
    assert api("HEAD", f"blobs/{NOWHERE}").status_code == 404


@pytest.mark.parametrize("digest", ["", "sha256:abc", "nonsense", "md5:" + "0" * 32])
def test_a_digest_that_is_none_is_refused(api: Api, digest: str) -> None:
    answer = api.finish(api.start(), digest, DATA)
    assert answer.status_code == 400
    assert code(answer) == "DIGEST_INVALID"


def test_an_end_without_a_digest_is_refused(api: Api) -> None:
    answer = api("PUT", api.start(), content=DATA, headers=OCTETS)
    assert answer.status_code == 400
    assert code(answer) == "DIGEST_INVALID"


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def test_an_unknown_upload_is_not_found(ours: Api, method: str) -> None:
    answer = ours(method, "blobs/uploads/0123456789abcdef")
    assert answer.status_code == 404
    assert code(answer) == "BLOB_UPLOAD_UNKNOWN"


def test_a_cancelled_upload_is_gone(api: Api) -> None:
    where = api.start()
    assert api("DELETE", where).status_code == 204
    answer = api("GET", where)
    assert answer.status_code == 404
    assert code(answer) == "BLOB_UPLOAD_UNKNOWN"
    assert api.finish(where, sha(DATA), DATA).status_code == 404


def test_a_finished_upload_is_gone(api: Api) -> None:
    where = api.start()
    assert api.finish(where, sha(DATA), DATA).status_code == 201
    assert api("GET", where).status_code == 404


def test_an_upload_of_another_repository_is_not_found(ours: Api) -> None:
    where = ours.start().replace(ours.name, ours.name + "-other")
    assert ours("GET", where).status_code == 404


def test_a_blob_is_pushed_twice(api: Api) -> None:
    assert api.blob(DATA) == api.blob(DATA)
    assert api("GET", f"blobs/{sha(DATA)}").content == DATA


def test_an_empty_blob_is_one(api: Api) -> None:
    digest = api.blob(b"")
    answer = api("GET", f"blobs/{digest}")
    assert (answer.status_code, answer.content) == (200, b"")
    assert api("HEAD", f"blobs/{digest}").headers["content-length"] == "0"


@pytest.mark.parametrize("way", ["at once", "in chunks"])
@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_digests_of_every_algorithm_are_taken(api: Api, algorithm: str, way: str) -> None:
    digest = sha(DATA, algorithm)
    where = api.start()
    if way == "in chunks":
        where = api("PATCH", where, content=DATA, headers=OCTETS).headers["location"]
    assert api.finish(where, digest, b"" if way == "in chunks" else DATA).status_code == 201
    answer = api("GET", f"blobs/{digest}")
    assert answer.content == DATA
    assert answer.headers["docker-content-digest"] == digest


def test_a_blake3_digest_is_taken(api: Api) -> None:
    digest = "blake3:" + blake3.blake3(DATA).hexdigest()
    assert api.finish(api.start(), digest, DATA).status_code == 201
    assert api("GET", f"blobs/{digest}").content == DATA


def test_a_blob_is_mounted_from_another_repository(api: Api) -> None:
    data = b"to mount " + api.name.encode()
    digest = api.blob(data)
    other = f"/v2/{api.name}-other/blobs"
    answer = api("POST", f"{other}/uploads/?mount={digest}&from={api.name}")
    assert answer.status_code == 201
    assert answer.headers["docker-content-digest"] == digest
    assert api("GET", answer.headers["location"]).content == data
    assert api("GET", f"{other}/{digest}").content == data


@pytest.mark.parametrize("source", ["&from=nobody/has-this", ""])
def test_what_cannot_be_mounted_is_to_be_uploaded(api: Api, source: str) -> None:
    answer = api("POST", f"blobs/uploads/?mount={NOWHERE}{source}")
    assert answer.status_code == 202
    data = b"instead"
    assert api.finish(answer.headers["location"], sha(data), data).status_code == 201


def test_the_location_of_an_upload_may_be_followed_as_it_is(api: Api) -> None:
    where = httpx.URL(api.url).join(api.start())
    answer = api("PATCH", str(where), content=b"abc", headers=OCTETS)
    assert answer.status_code == 202


def test_a_large_blob_goes_through(api: Api) -> None:
    block = bytes(range(256)) * 4096
    answer = api("PATCH", api.start(), content=parts(*[block] * 24), headers=OCTETS)
    where = answer.headers["location"]
    digest = sha(block * 24)
    assert api.finish(where, digest).status_code == 201
    assert sha(api("GET", f"blobs/{digest}").content) == digest
