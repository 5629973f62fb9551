"""Plugins that Fairway runs itself: calls to others, and what leads out of the workspace."""

from __future__ import annotations

import json

from ground import Ground, Receiver, step_of, steps


def test_a_webhook_is_called_with_the_builds_facts(ground: Ground, receiver: Receiver) -> None:
    repo = ground.repository()
    build = repo.build(
        steps(f"""
        steps:
        - {{name: plain, image: plugins/webhook, settings: {{urls: '{receiver.url}/plain'}}}}
        - name: worded
          image: plugins/webhook
          settings:
            urls: ['{receiver.url}/worded']
            content_type: text/plain
            headers: [X-Film=Metropolis]
            template: >-
              {{{{repo.name}}}} {{{{build.number}}}}
              {{{{#success build.status}}}}good{{{{/success}}}}
        """)
    )
    assert build.status == "passed", build
    plain, worded = receiver.calls
    assert json.loads(plain["body"])["build"]["commit"] == build.after
    assert worded["body"].strip() == f"{repo.slug.partition('/')[2]} 1 good"
    assert worded["headers"]["X-Film"] == "Metropolis"
    keys = {call["headers"]["Idempotency-Key"] for call in receiver.calls}
    assert len(keys) == 2


def test_slack_gets_a_message_and_a_refusal_fails_the_step(
    ground: Ground, receiver: Receiver
) -> None:
    repo = ground.repository()
    text = steps(f"""
        steps:
        - name: tell
          image: plugins/slack
          settings:
            webhook: '{receiver.url}/slack'
            channel: films
            template: 'build {{{{build.number}}}}'
        """)
    assert repo.build(text).status == "passed"
    body = json.loads(receiver.calls[0]["body"])
    assert (body["channel"], body["attachments"][0]["text"]) == ("#films", "build 1")
    receiver.status = 500
    build = repo.build(text)
    assert build.status == "failed"
    assert "500" in repo.log("tell")


def test_a_notification_says_that_the_build_failed(ground: Ground, receiver: Receiver) -> None:
    repo = ground.repository()
    repo.build(
        steps(f"""
        steps:
        - {{name: bad, image: busybox, commands: ['false']}}
        - name: tell
          image: plugins/webhook
          settings: {{urls: '{receiver.url}', template: '{{{{build.status}}}}'}}
          when: {{status: [success, failure]}}
        """)
    )
    assert receiver.calls[0]["body"].strip() == "failure"


def test_a_plugin_of_ones_own_gets_its_settings_as_variables(ground: Ground) -> None:
    repo = ground.repository()
    (repo.folder / "plugin").mkdir()
    build = repo.build(
        steps(f"""
        steps:
        - name: image
          image: plugins/docker
          settings: {{repo: {repo.slug}, context: plugin, dockerfile: plugin/Dockerfile}}
        - name: own
          image: {repo.slug}
          settings: {{a_word: yes, list: [a, b], map: {{k: [1]}}, from: {{from_secret: none}}}}
        """),
        {"plugin/Dockerfile": 'FROM busybox\nENTRYPOINT ["env"]\n'},
    )
    assert build.status == "passed", build
    text = repo.log("own")
    assert "PLUGIN_A_WORD=true\n" in text
    assert "PLUGIN_LIST=a,b\n" in text
    assert 'PLUGIN_MAP={"k":[1]}\n' in text


def test_an_unknown_fairway_plugin_is_an_error_with_its_place(ground: Ground) -> None:
    repo = ground.repository()
    build = repo.build(steps("steps: [{name: a, image: fairway/none}]"))
    assert build.status == "errored"
    assert ".drone.yml:4:" in build.stages[0].error
    assert "no plugin 'none'" in build.stages[0].error
    assert not build.stages[0].steps or step_of(build, "a").started is None
