"""Signatures, secrets, skip words and images: what stands beside the pipelines."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from fairway.kit.secret import Secret
from fairway.model.errors import BadFile, NotFound
from fairway.pipeline.compile import (
    BuildFacts,
    Context,
    Findings,
    RepoFacts,
    compile_stage,
    decrypt,
    encrypt,
    is_ignored,
    is_signed,
    lint,
    live,
    plan,
    read_documents,
    read_secrets,
    sign,
    skip_word,
    unknown_images,
)

KEY = b"k" * 32
FILE = "---\nkind: pipeline\nname: a\n---\nkind: secret\nname: s\ndata: x\n"


def test_a_signed_file_is_signed() -> None:
    signed = sign(FILE, KEY)
    assert is_signed(signed, KEY)
    assert signed.startswith(FILE)


def test_the_signature_covers_every_other_document() -> None:
    code = hmac.new(KEY, b"kind: pipeline\nname: a\nkind: secret\nname: s\ndata: x\n", "sha256")
    assert f"hmac: {code.hexdigest()}\n" in sign(FILE, KEY)
    assert hashlib.sha256().digest_size == len(code.digest())


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("name: a", "name: b"),
        lambda text: text.replace("kind: secret", "kind: secret # x"),
        lambda text: "kind: pipeline\nname: evil\n" + text,
        lambda text: text[: text.index("kind: signature")],
        lambda text: text.replace("hmac: ", "hmac: 0"),
        lambda text: text.replace("hmac: ", "hmac: é"),
    ],
)
def test_a_changed_file_is_not_signed(change: object) -> None:
    assert callable(change)
    assert not is_signed(change(sign(FILE, KEY)), KEY)


def test_another_key_does_not_verify() -> None:
    assert not is_signed(sign(FILE, KEY), b"x" * 32)


def test_signing_again_replaces_the_signature() -> None:
    assert sign(sign(FILE, KEY), KEY) == sign(FILE, KEY)


def test_a_secret_of_the_file_is_decrypted() -> None:
    data = encrypt(Secret("top"), KEY)
    assert decrypt(data, KEY).reveal() == "top"
    assert encrypt(Secret("top"), KEY) != data


@pytest.mark.parametrize("data", ["", "x", "aGVsbG8=", "%%%"])
def test_a_secret_that_cannot_be_decrypted_is_a_bad_file(data: str) -> None:
    with pytest.raises(BadFile) as caught:
        decrypt(data, KEY, where="f:1:1")
    assert caught.value.code == "bad-secret"


def test_secret_documents_are_read_in_all_forms() -> None:
    text = (
        "kind: secret\nname: one\ndata: abc\n---\nkind: secret\nname: two\n"
        "get: {path: a/b, name: c}\n---\nkind: secret\ndata: {three: x, four: y}\n"
        "---\nkind: secret\nname: five\n"
    )
    findings = Findings("f")
    found = read_secrets(read_documents(text, name="f"), findings)
    assert [(item.name, item.data, item.path, item.key) for item in found] == [
        ("one", "abc", "", ""),
        ("two", "", "a/b", "c"),
        ("three", "x", "", ""),
        ("four", "y", "", ""),
        ("five", "", "", ""),
    ]
    assert [(item.code, item.line) for item in findings.errors] == [("bad-secret", 12)]


@pytest.mark.parametrize(
    ("message", "title", "event", "word"),
    [
        ("fix [ci skip]", "", "push", "[ci skip]"),
        ("fix [SKIP CI]", "", "push", "[skip ci]"),
        ("x", "a ***NO_CI*** b", "pull_request", "***no_ci***"),
        ("fix", "", "push", ""),
        ("[ci skip]", "", "tag", ""),
        ("[ci skip]", "", "cron", ""),
        ("[ci skip]", "", "custom", ""),
        ("[ci skip]", "", "promote", ""),
        ("[ci skip]", "", "rollback", ""),
    ],
)
def test_skip_words_skip_pushes_and_pull_requests(
    message: str, title: str, event: str, word: str
) -> None:
    assert skip_word(message, title, event=event) == word


def test_deletions_and_other_pull_request_actions_are_ignored() -> None:
    assert is_ignored("push", "", deleted=True)
    assert is_ignored("pull_request", "closed")
    assert not is_ignored("pull_request", "opened")
    assert not is_ignored("pull_request", "synchronized")
    assert not is_ignored("push", "")


def test_variables_that_change_while_a_stage_runs() -> None:
    assert live(failed_steps=(), build_failing=False, now_s=5) == {
        "DRONE_BUILD_STATUS": "success",
        "DRONE_STAGE_STATUS": "success",
        "DRONE_BUILD_FINISHED": "5",
        "DRONE_STAGE_FINISHED": "5",
    }
    failing = live(failed_steps=("a", "b"), build_failing=False, now_s=5)
    assert failing["DRONE_BUILD_STATUS"] == failing["DRONE_STAGE_STATUS"] == "failure"
    assert failing["DRONE_FAILED_STEPS"] == "a,b"


def test_a_pipeline_that_is_not_there_is_not_found() -> None:
    with pytest.raises(NotFound):
        compile_stage("kind: pipeline\nname: a\n", "b", Context())


def test_compiling_a_bad_pipeline_names_its_place() -> None:
    text = "kind: pipeline\nname: a\nsteps:\n- {name: x}\n"
    with pytest.raises(BadFile) as caught:
        compile_stage(text, "a", Context(filename="ci.yml"))
    assert caught.value.where == "ci.yml:4:3"
    assert "steps[0].image" in str(caught.value)


def test_a_name_that_substitution_changes_is_refused() -> None:
    text = "kind: pipeline\nname: build-${DRONE_BRANCH}\n"
    (pipeline,) = plan(text, Context()).pipelines
    assert [error.code for error in pipeline.errors] == ["renamed-pipeline"]


REGISTRY = "127.0.0.1:5000"
BUILD = """
kind: pipeline
name: build
steps:
- {name: image, image: plugins/docker, settings: {repo: REG/team/app, tags: [test, v1]}}
- {name: use, image: "REG/team/app:test"}
- {name: wrong-tag, image: "REG/team/app:other"}
- {name: there, image: "REG/team/there"}
- {name: hub, image: alpine}
---
kind: pipeline
name: later
depends_on: [build]
steps: [{name: use, image: "REG/team/app:v1"}]
---
kind: pipeline
name: beside
steps: [{name: use, image: "REG/team/app:v1"}]
""".replace("REG", REGISTRY)


def _unknown(text: str) -> list[tuple[str, int]]:
    context = Context(repo=RepoFacts(trusted=True))
    planned = plan(text, context)
    graphs = {
        item.name: compile_stage(planned.text, item.name, context) for item in planned.matched
    }
    found = unknown_images(
        graphs,
        {item.name: item.depends_on for item in planned.matched},
        registry=REGISTRY,
        is_unknown=lambda name: name.startswith(REGISTRY) and "/there" not in name,
    )
    return [(item.pipeline, item.line) for item in found]


def test_an_image_that_nobody_has_or_builds_is_named_with_its_line() -> None:
    assert _unknown(BUILD) == [("build", 7), ("beside", 18)]


def test_an_image_must_be_built_before_it_is_used() -> None:
    text = BUILD.replace("name: use, image", "name: use, depends_on: [clone], image", 1)
    assert _unknown(text)[0] == ("build", 6)


@pytest.mark.parametrize(
    ("settings", "known"),
    [
        ("repo: team/app, registry: REG", True),
        ("repo: team/app", True),
        ("repo: REG/team/app, auto_tag: true", True),
        ("repo: REG/team/app, dry_run: true", False),
        ("repo: REG/team/other", False),
        ("registry: REG", False),
    ],
)
def test_what_a_step_builds_is_read_from_its_settings(settings: str, known: bool) -> None:
    text = (
        "kind: pipeline\nname: build\nsteps:\n"
        f"- {{name: image, image: plugins/docker, settings: {{{settings}}}}}\n"
        '- {name: use, image: "REG/team/app"}\n'
    ).replace("REG", REGISTRY)
    assert (_unknown(text) == []) is known


def test_lint_takes_likely_values_for_what_it_cannot_know() -> None:
    text = (
        "kind: pipeline\nname: a\nsteps:\n- name: x\n"
        "  image: app:${DRONE_COMMIT_SHA:0:8}\n- name: y\n  image: app:${SOME_PARAMETER}\n"
    )
    assert lint(text, Context()) == []


def test_lint_sorts_what_it_finds_and_says_each_once() -> None:
    text = "kind: pipeline\nname: a\nstep: []\nsteps:\n- {image: x, comand: y}\n- {name: b}\n"
    found = [(item.line, item.code) for item in lint(text, Context())]
    assert found == sorted(set(found))
    assert {"unknown-key", "nameless-step"} <= {code for _line, code in found}


def test_author_text_is_warned_about_unless_it_is_escaped() -> None:
    text = (
        "kind: pipeline\nname: a\nsteps:\n- name: x\n  image: i\n  commands:\n"
        "  - echo $${DRONE_COMMIT_MESSAGE}\n  - echo ${DRONE_COMMIT_MESSAGE}\n"
    )
    found = [item for item in lint(text, Context()) if item.code == "author-text"]
    assert [(item.line, item.column) for item in found] == [(8, 10)]


def test_a_value_cannot_change_what_stands_in_other_lines() -> None:
    text = (
        "kind: pipeline\nname: a\nsteps:\n- name: x\n  image: i\n  user: ${DRONE_COMMIT_MESSAGE}\n"
    )
    message = "u\n  privileged: true"
    graph = compile_stage(text, "a", Context(build=BuildFacts(message=message)))
    assert graph.steps[-1].user == message
    assert not graph.steps[-1].privileged


@pytest.mark.parametrize(("count", "codes"), [(10_000, []), (60_000, ["script-too-long"])])
def test_commands_that_fit_into_no_container_are_refused(count: int, codes: list[str]) -> None:
    commands = f"echo {'x' * 100}\n    " * (count // 10)
    head = "kind: pipeline\nname: a\nsteps:\n- name: x\n  image: i\n  commands:\n  - |\n    "
    text = f"{head}{commands}\n"
    (pipeline,) = plan(text, Context()).pipelines
    assert [error.code for error in pipeline.errors] == codes


def test_errors_of_a_converted_file_say_that_its_lines_are_not_the_files() -> None:
    text = "pipeline:\n  a: {image: x, privileged: true}\n  b: {image: ${Q}}\n"
    planned = plan(text.replace("${Q}", "'${'"), Context())
    found = {error.where for error in planned.pipelines[0].errors}
    assert all(where.startswith(".drone.yml (converted):") for where in found)
    assert plan(text, Context()).errors[0].where.startswith(".drone.yml:3:")
    again = plan(planned.text, Context())
    assert {error.where for error in again.pipelines[0].errors} == found
