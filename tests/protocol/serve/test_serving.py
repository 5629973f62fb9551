"""`fairway serve` as an operator starts it: where it listens, TLS, proxies, keys, databases."""

from __future__ import annotations

import json
import os
import shutil
import ssl
from pathlib import Path

import authority
import httpx
import pytest
from served import Served

from fairway.kit.net import free_port

pytestmark = pytest.mark.client


@pytest.fixture
def pem(tmp_path: Path) -> tuple[Path, Path, Path]:
    return authority.write(tmp_path)


def commit(served: Served) -> None:
    """A repository `work` with one commit on main."""
    work = served.folder / "work"
    served.run("git", "init", "-q", "-b", "main", str(work))
    (work / "file").write_text("tide\n")
    named = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    assert served.run("git", "-C", str(work), "add", ".").returncode == 0
    assert served.run("git", "-C", str(work), *named, "commit", "-qm", "first").returncode == 0


def test_tls_for_the_command_line_git_curl_and_httpx(
    served: Served, pem: tuple[Path, Path, Path]
) -> None:
    ca, cert, key = pem
    with served.running("--tls-cert", str(cert), "--tls-key", str(key), scheme="https") as url:
        login = served.fairway(
            "login", url, "--ca", str(ca), "--no-docker", data=served.token + "\n"
        )
        assert login.returncode == 0, login.stderr
        listed = served.fairway("get", "repos", "-o", "json")
        assert json.loads(listed.stdout) == {"schema": "fairway.repos/1", "items": []}
        commit(served)
        push = served.run("git", "-C", "work", "push", "-q", f"{url}/tide/app.git", "main")
        assert push.returncode == 0, push.stderr  # the helper and the authority are set up
        clone = served.run("git", "clone", "-q", "--depth", "1", f"{url}/tide/app.git", "again")
        assert clone.returncode == 0, clone.stderr
        curl = served.run("curl", "-s", "--cacert", str(ca), f"{url}/healthz")
        assert json.loads(curl.stdout) == {"status": "alive"}
        trust = ssl.create_default_context(cafile=str(ca))
        challenge = httpx.get(f"{url}/v2/", verify=trust, trust_env=False, timeout=90)
        realm = f'Bearer realm="{url}/v2/token"'
        assert challenge.headers["www-authenticate"].startswith(realm)
        unknown = served.run("curl", "-sS", f"{url}/healthz", SSL_CERT_FILE="")
        assert unknown.returncode == 60  # curl's word for a certificate that it does not trust
        plain = served.run("curl", "-sS", url.replace("https", "http"))
        assert plain.returncode != 0


def test_a_server_s_own_certificate_may_stand_for_its_authority(
    served: Served, pem: tuple[Path, Path, Path]
) -> None:
    _ca, cert, key = pem
    with served.running("--tls-cert", str(cert), "--tls-key", str(key), scheme="https") as url:
        words = ("login", url, "--no-docker", "--no-git")
        refused = served.fairway(*words, data=served.token + "\n")
        assert (refused.returncode, "CERTIFICATE_VERIFY" in refused.stderr) == (2, True)
        taken = served.fairway(*words, "--ca", str(cert), data=served.token + "\n")
        assert taken.returncode == 0, taken.stderr
        said = served.fairway("doctor", "--data", str(served.data), "-o", "json").stdout
        found = {one["name"]: one["found"] for one in json.loads(said)["items"]}
        assert "does not tell" not in found.get("clusters", "")  # it asks by that certificate


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--listen", "0.0.0.0"), "listen-unsafe"),
        (("--listen", "[::]:1234"), "listen-unsafe"),
        (("--listen", "127.0.0.1.example:80"), "listen-unsafe"),
        (("--tls-cert", "{cert}"), "bad-setting"),
        (("--tls-key", "{key}", "--listen", "0.0.0.0"), "bad-setting"),
    ],
)
def test_nothing_listens_elsewhere_in_the_clear(
    served: Served, pem: tuple[Path, Path, Path], options: tuple[str, ...], code: str
) -> None:
    _ca, cert, key = pem
    words = [one.format(cert=cert, key=key) for one in options]
    done = served.fairway(*served.words(), *words)
    assert done.returncode == 2
    assert f"errors.md#{code}" in done.stderr
    assert not served.data.exists()


def test_behind_a_proxy_clients_are_sent_where_they_came_from(served: Served) -> None:
    outside = "https://fairway.example"
    with (
        served.running("--behind-proxy", "--external-url", outside) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=90) as client,
    ):
        forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "fairway.example"}
        answer = client.get("/v2/", headers=forwarded)
        realm = f'Bearer realm="{outside}/v2/token",service="fairway"'
        assert answer.headers["www-authenticate"] == realm
        assert client.get("/metrics").status_code == 403
        signed = {"Authorization": f"Bearer {served.token}"}
        system = client.get("/api/v1/system", headers=signed).json()
        assert (system["external_url"], system["registry"]) == (outside, "fairway.example")
        made = client.post("/api/v1/repos", headers=signed, json={"repository": "tide/app"})
        assert made.json()["clone_url"] == f"{outside}/tide/app.git", made.text
        page = client.get("/metrics", headers=signed)
        assert page.headers["content-type"].count("charset") == 1
        assert "fairway_outbox_parked 0" in page.text


def test_forwarded_headers_are_believed_from_a_proxy_only(served: Served) -> None:
    with served.running() as url:
        forged = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
        answer = httpx.get(f"{url}/v2/", headers=forged, trust_env=False, timeout=90)
        assert "evil" not in answer.headers["www-authenticate"]


def test_the_key_is_rotated_and_everything_opens_after_a_restart(served: Served) -> None:
    with served.running() as url:
        login = served.fairway("login", url, "--no-docker", "--no-git", data=served.token + "\n")
        assert login.returncode == 0, login.stderr
        assert served.fairway("repo", "create", "tide/app").returncode == 0
        put = served.fairway("secret", "set", "tok", "-R", "tide/app", data="s3cret")
        assert put.returncode == 0, put.stderr
        asked = served.fairway("system", "rotate-key")
        assert (asked.returncode, "--yes" in asked.stderr) == (2, True)
        done = json.loads(served.fairway("system", "rotate-key", "--yes", "-o", "json").stdout)
        assert done["values"] == 2  # the secret, and the key of the registry's tokens
        assert len(done["retired"]) == 1
    with served.running():
        assert served.fairway("get", "secrets", "-R", "tide/app", "-o", "name").stdout == "tok\n"
        first = json.loads(served.fairway("get", "audit", "-o", "json").stdout)["items"][0]
        assert (first["actor"], first["action"]) == ("admin", "key.rotate")


def test_with_another_key_nothing_starts_and_the_reason_is_said(served: Served) -> None:
    with served.running():
        pass
    keys = served.data / "keys" / "keys.json"
    kept = keys.read_bytes()
    keys.unlink()
    done = served.fairway(*served.words())
    assert done.returncode == 2
    assert "errors.md#key-missing" in done.stderr
    keys.write_bytes(kept)
    with served.running():
        pass


@pytest.mark.postgres
@pytest.mark.skipif("FAIRWAY_TEST_POSTGRES" not in os.environ, reason="no server is named")
def test_no_backup_is_taken_of_another_kind_of_database(
    served: Served, empty_postgres: str
) -> None:
    with served.running("--database", empty_postgres):
        target = str(served.folder / "file")
        data = ("--data", str(served.data))
        wrong = served.fairway("backup", target, *data)
        assert (wrong.returncode, "errors.md#other-database" in wrong.stderr) == (2, True)
        right = served.fairway("backup", target, *data, "--database", empty_postgres)
        assert right.returncode == 0, right.stderr
    again = ("restore", target, "--yes", "--data", str(served.folder / "other"))
    assert served.fairway(*again).returncode == 0
    shutil.rmtree(served.data)
    served.data, served.port = served.folder / "other", free_port()
    with served.running():
        pass


def test_two_people_at_one_port_are_told_apart(served: Served) -> None:
    with served.running():
        done = served.fairway(*served.words(served.folder / "other"))
        assert done.returncode == 2
        assert "errors.md#port-taken" in done.stderr


def test_it_listens_at_ipv6_addresses(served: Served) -> None:
    with served.running("--listen", "[::1]"):
        answer = httpx.get(f"http://[::1]:{served.port}/healthz", trust_env=False, timeout=90)
        assert answer.json() == {"status": "alive"}
