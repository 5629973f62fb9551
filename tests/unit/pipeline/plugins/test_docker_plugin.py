"""plugins/docker: from settings to the request for an image."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import structs

from fairway.kit.secret import Secret
from fairway.model.errors import InvalidInput
from fairway.model.image import BuildRequest, BuiltImage, Log, Target
from fairway.pipeline.plugin import Job
from fairway.pipeline.plugins import ecr
from fairway.pipeline.plugins.docker import BuilderSettings, DockerPlugin, request_for
from fairway.pipeline.plugins.http import Answer
from fairway.pipeline.plugins.settings import Settings
from fairway.pipeline.plugins.tags import automatic_tags


def request(job: Job) -> BuildRequest:
    made = request_for(job, Settings(job.environment), BuilderSettings())
    assert made is not None
    return made


@pytest.mark.parametrize(
    ("variables", "targets"),
    [
        (
            {"PLUGIN_REPO": "acme/web"},
            [("acme/web:latest", "127.0.0.1:5000/acme/web:latest", True)],
        ),
        (
            {"PLUGIN_REPO": "127.0.0.1:5000/acme/web", "PLUGIN_TAGS": "1.0,1"},
            [
                ("127.0.0.1:5000/acme/web:1.0", "127.0.0.1:5000/acme/web:1.0", True),
                ("127.0.0.1:5000/acme/web:1", "127.0.0.1:5000/acme/web:1", True),
            ],
        ),
        (
            {"PLUGIN_REPO": "quay.example/acme/web", "PLUGIN_TAG": "x"},
            [("quay.example/acme/web:x", "quay.example/acme/web:x", False)],
        ),
        (
            {"PLUGIN_REPO": "web", "PLUGIN_REGISTRY": "https://quay.example"},
            [("web:latest", "quay.example/web:latest", False)],
        ),
        (
            {"PLUGIN_REPO": "me/web", "PLUGIN_USERNAME": "me", "PLUGIN_PASSWORD": "pw"},
            [("me/web:latest", "docker.io/me/web:latest", False)],
        ),
        (
            {"PLUGIN_REPO": "web", "PLUGIN_USERNAME": "", "PLUGIN_PASSWORD": ""},
            [("web:latest", "127.0.0.1:5000/web:latest", True)],
        ),
    ],
)
def test_names_say_where_images_go(
    job: Any, variables: dict[str, str], targets: list[tuple[str, str, bool]]
) -> None:
    made = request(job("plugins/docker", **variables))
    assert list(made.targets) == [Target(written=w, full=f, ours=o) for w, f, o in targets]


PULL = {
    "DRONE_BUILD_EVENT": "pull_request",
    "DRONE_PULL_REQUEST": "7",
    "DRONE_COMMIT_SHA": "0123456789abcdef0123456789abcdef01234567",
}


@pytest.mark.parametrize(
    ("repo", "tag", "full"),
    [
        ("acme/web", "latest", "127.0.0.1:5000/acme/web:change-7-latest"),
        ("acme/web", "1.0", "127.0.0.1:5000/acme/web:change-7-1.0"),
        ("acme/web", "test-01234567", "127.0.0.1:5000/acme/web:test-01234567"),
        ("acme/web", "change-7", "127.0.0.1:5000/acme/web:change-7"),
        ("quay.example/acme/web", "latest", "quay.example/acme/web:latest"),
    ],
)
def test_a_pull_request_s_image_goes_by_a_tag_of_its_own(
    job: Any, repo: str, tag: str, full: str
) -> None:
    made = request(job("plugins/docker", PLUGIN_REPO=repo, PLUGIN_TAGS=tag, **PULL))
    assert [(one.written, one.full) for one in made.targets] == [(f"{repo}:{tag}", full)]


EVERY = {
    "PLUGIN_REPO": "acme/web",
    "PLUGIN_CONTEXT": "web",
    "PLUGIN_DOCKERFILE": "web/Dockerfile.prod",
    "PLUGIN_TARGET": "test",
    "PLUGIN_BUILD_ARGS": "A=1,B=2,3,FROM_VARIABLE",
    "FROM_VARIABLE": "v",
    "PLUGIN_BUILD_ARGS_FROM_ENV": "DRONE_COMMIT_SHA",
    "DRONE_COMMIT_SHA": "abc",
    "DRONE_REPO_LINK": "http://here/acme/web",
    "DRONE_TAG": "v1.2.3",
    "PLUGIN_CACHE_FROM": "acme/web:cache,acme/web:old",
    "PLUGIN_CUSTOM_LABELS": "a=1",
    "PLUGIN_LABELS": '{"b":"2"}',
    "PLUGIN_LABEL_SCHEMA": "vendor=acme",
    "PLUGIN_PURGE": "false",
    "PLUGIN_DRY_RUN": "true",
    "PLUGIN_PULL_IMAGE": "false",
    "PLUGIN_NO_CACHE": "true",
    "PLUGIN_SQUASH": "true",
    "PLUGIN_MIRROR": "https://mirror.example",
    "PLUGIN_INSECURE": "true",
    "PLUGIN_ADD_HOST": "db:10.0.0.1",
}


def test_every_setting_reaches_the_request(job: Any) -> None:
    made = request(job("plugins/docker", **EVERY))
    assert (made.context, made.dockerfile, made.target) == ("web", "web/Dockerfile.prod", "test")
    assert made.build_args == {
        "A": "1",
        "B": "2,3,FROM_VARIABLE",
        "DRONE_COMMIT_SHA": "abc",
    }
    assert made.labels == {"a": "1", "b": "2", "org.label-schema.vendor": "acme"}
    assert made.cache_from == ("acme/web:cache", "acme/web:old")
    assert (made.purge, made.dry_run, made.pull) == (False, True, False)
    assert (made.no_cache, made.squash, made.insecure) == (True, True, True)
    assert (made.mirror, made.add_hosts) == ("https://mirror.example", ("db:10.0.0.1",))
    assert (made.facts.source, made.facts.revision) == ("http://here/acme/web", "abc")
    assert made.facts.version == "v1.2.3"
    assert made.key == "b1-s1/2/1"


@pytest.mark.parametrize(
    ("registry", "variables", "kept"),
    [
        ("", {"PLUGIN_REPO": "a/b"}, True),
        ("", {"PLUGIN_REPO": "there.example/a/b"}, False),
        ("", {"PLUGIN_REPO": "a/b", "PLUGIN_REGISTRY": "there.example"}, False),
        ("", {"PLUGIN_REPO": "a/b", "PLUGIN_USERNAME": "u", "PLUGIN_PASSWORD": "p"}, False),
        ("here:8480", {"PLUGIN_REPO": "a/b"}, False),
    ],
)
def test_without_a_system_what_names_no_registry_stays_in_the_engine(
    job: Any, registry: str, variables: dict[str, str], kept: bool
) -> None:
    made = request(structs.replace(job("plugins/docker", **variables), registry=registry))
    assert made.keep is kept


@pytest.mark.parametrize(
    ("variables", "version"),
    [
        ({"DRONE_TAG": "v1", "PLUGIN_TAGS": "a"}, "v1"),
        ({"DRONE_TAG": "v1.2.3", "DRONE_SEMVER": "1.2.3"}, "1.2.3"),
        ({"PLUGIN_TAGS": "latest,abc"}, "abc"),
        ({"DRONE_COMMIT_SHA": "0123456789abcdef"}, "0123456789ab"),
    ],
)
def test_every_image_has_a_version(job: Any, variables: dict[str, str], version: str) -> None:
    made = request(job("plugins/docker", PLUGIN_REPO="a/b", **variables))
    assert made.facts.version == version


def test_an_argument_without_a_value_takes_the_variables(job: Any) -> None:
    made = request(job("plugins/docker", PLUGIN_REPO="a/b", PLUGIN_BUILD_ARGS="NAME", NAME="v"))
    assert made.build_args == {"NAME": "v"}


@pytest.mark.parametrize(
    ("image", "variables", "host", "user"),
    [
        (
            "plugins/gcr",
            {"PLUGIN_REPO": "p/web", "PLUGIN_JSON_KEY": "{key}"},
            "gcr.io",
            "_json_key",
        ),
        (
            "plugins/heroku",
            {"PLUGIN_APP": "shop", "PLUGIN_EMAIL": "a@b", "PLUGIN_API_KEY": "k"},
            "registry.heroku.com",
            "a@b",
        ),
        (
            "plugins/acr:1",
            {
                "PLUGIN_REPO": "acme.azurecr.io/web",
                "PLUGIN_REGISTRY": "acme.azurecr.io",
                "PLUGIN_USERNAME": "u",
                "PLUGIN_PASSWORD": "p",
            },
            "acme.azurecr.io",
            "u",
        ),
    ],
)
def test_the_siblings_have_their_own_registries(
    job: Any, image: str, variables: dict[str, str], *, host: str, user: str
) -> None:
    made = request(job(image, **variables))
    assert made.targets[0].full.startswith(f"{host}/")
    assert json.loads(made.auths[host].reveal())["username"] == user
    assert not made.targets[0].ours


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"PLUGIN_REPO": "UPPER/case"},
        {"PLUGIN_REPO": "a/../b"},
        {"PLUGIN_REPO": "a/b", "PLUGIN_TAGS": "no spaces"},
        {"PLUGIN_REPO": "a/b", "PLUGIN_TAGS": "-x"},
        {"PLUGIN_REPO": "a/b", "PLUGIN_CONTEXT": "../other"},
        {"PLUGIN_REPO": "a/b", "PLUGIN_DOCKERFILE": "/etc/passwd"},
        {"PLUGIN_REPO": "a/b", "PLUGIN_DRY_RUN": "maybe"},
        {"PLUGIN_REPO": "a/b", "PLUGIN_CONFIG": "[]"},
    ],
)
def test_settings_that_cannot_be_right_are_refused(job: Any, variables: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        request(job("plugins/docker", **variables))


def test_a_path_as_the_container_would_see_it_is_understood(job: Any) -> None:
    variables = {"PLUGIN_REPO": "a/b", "DRONE_WORKSPACE": "/drone/src"}
    made = request(job("plugins/docker", PLUGIN_CONTEXT="/drone/src/web", **variables))
    assert made.context == "web"


@settings(suppress_health_check=list(HealthCheck))
@given(path=st.lists(st.sampled_from(["..", ".", "a", "/", "//", "b c", "~"]), max_size=6))
def test_no_path_leads_out_by_its_own_words(job: Any, path: list[str]) -> None:
    text = "/".join(path)
    try:
        made = request(job("plugins/docker", PLUGIN_REPO="a/b", PLUGIN_CONTEXT=text))
    except InvalidInput:
        return
    assert not made.context.startswith("/")
    assert ".." not in made.context.split("/")


def test_tags_may_come_from_a_file_of_an_earlier_step_but_not_from_a_link(job: Any) -> None:
    what = job("plugins/docker", PLUGIN_REPO="a/b")
    (what.tree / ".tags").write_text("1.2,\n1\n")
    assert [target.written for target in request(what).targets] == ["a/b:1.2", "a/b:1"]
    (what.tree / ".tags").unlink()
    (what.tree / ".tags").symlink_to("/etc/hostname")
    assert [target.written for target in request(what).targets] == ["a/b:latest"]


@pytest.mark.parametrize(
    ("ref", "suffix", "tags"),
    [
        ("refs/heads/main", "", ["latest"]),
        ("refs/heads/dev", "", None),
        ("refs/tags/v1.2.3", "", ["1", "1.2", "1.2.3"]),
        ("refs/tags/1.2.3", "arm", ["1-arm", "1.2-arm", "1.2.3-arm"]),
        ("refs/tags/v0.2.3", "", ["0.2", "0.2.3"]),
        ("refs/tags/v1.0.0-rc.1", "", ["1.0.0-rc.1"]),
        ("refs/tags/v1.0.0+build5", "", ["1.0.0-build5"]),
        ("refs/tags/nightly", "", ["latest"]),
        ("refs/heads/main", "arm", ["arm"]),
        ("refs/pull/5/head", "", ["latest"]),
    ],
)
def test_automatic_tags(ref: str, suffix: str, tags: list[str] | None) -> None:
    assert automatic_tags(ref, "main", suffix) == tags


class BuilderStub:
    """Builds nothing, says so."""

    def __init__(self) -> None:
        self.requests: list[BuildRequest] = []

    async def build(self, request: BuildRequest, log: Log) -> list[BuiltImage]:
        self.requests.append(request)
        await log(b"building\n")
        return [
            BuiltImage(name=target.written, repository="acme/web", digest="sha256:1")
            for target in request.targets
        ]


async def test_what_was_built_is_told(job: Any, log: Any) -> None:
    what = job(
        "plugins/docker", PLUGIN_REPO="acme/web", PLUGIN_STORAGE_DRIVER="vfs", PLUGIN_ODD="1"
    )
    end = await DockerPlugin(BuilderStub()).run(what)
    assert [image.name for image in end.images] == ["acme/web:latest"]
    assert log.text == (
        "[fairway] the setting `odd` has no effect here\nbuilding\nacme/web:latest is sha256:1\n"
    )


async def test_auto_tag_builds_nothing_on_other_branches(job: Any, log: Any) -> None:
    builder = BuilderStub()
    what = job(
        "plugins/docker",
        PLUGIN_REPO="acme/web",
        PLUGIN_AUTO_TAG="true",
        DRONE_COMMIT_REF="refs/heads/dev",
        DRONE_REPO_BRANCH="main",
    )
    end = await DockerPlugin(builder).run(what)
    assert (end.exit_code, builder.requests) == (0, [])
    assert "skipping automated docker build for refs/heads/dev" in log.text


class AmazonStub:
    """Answers as ECR would."""

    def __init__(self) -> None:
        self.targets: list[str] = []

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        verify: bool = True,
    ) -> Answer:
        target = headers["x-amz-target"].rpartition(".")[2]
        self.targets.append(target)
        assert url == "https://api.ecr.eu-west-1.amazonaws.com/"
        assert "Credential=AK/" in headers["authorization"]
        if target == "CreateRepository":
            return Answer(400, "Bad Request", '{"__type":"RepositoryAlreadyExistsException"}')
        token = base64.b64encode(b"AWS:pw").decode()
        endpoint = "https://1.dkr.ecr.eu-west-1.amazonaws.com"
        data = {"authorizationToken": token, "proxyEndpoint": endpoint}
        return Answer(200, "OK", json.dumps({"authorizationData": [data]}))


async def test_ecr_asks_amazon_for_the_registry_and_a_password(job: Any) -> None:
    builder, amazon = BuilderStub(), AmazonStub()
    what = job(
        "plugins/ecr",
        PLUGIN_REPO="acme/web",
        PLUGIN_REGION="eu-west-1",
        PLUGIN_ACCESS_KEY="AK",
        PLUGIN_SECRET_KEY="sk",
        PLUGIN_CREATE_REPOSITORY="true",
    )
    await DockerPlugin(builder, sender=amazon).run(what)
    host = "1.dkr.ecr.eu-west-1.amazonaws.com"
    (request,) = builder.requests
    assert request.targets[0].full == f"{host}/acme/web:latest"
    assert json.loads(request.auths[host].reveal()) == {"username": "AWS", "password": "pw"}
    assert amazon.targets == ["GetAuthorizationToken", "CreateRepository"]


def test_signatures_are_amazons_own_example() -> None:
    identity = ecr.Keys(
        access="AKIDEXAMPLE",
        secret=Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        region="us-east-1",
    )
    headers = {"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z"}
    assert ecr.signature(identity, headers, b"", service="service").endswith(
        "SignedHeaders=host;x-amz-date, "
        "Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
    )
