"""What a chart's try is made of."""

from __future__ import annotations

from fairway.release import installing

DIGEST = "sha256:" + "ab" * 32
OURS = f"127.0.0.1:8480/webflix/catalogue@{DIGEST}"


def test_the_released_image_is_taken_from_our_registry_whatever_the_chart_calls_it() -> None:
    pod = {
        "containers": [
            {"name": "app", "image": f"webflix/catalogue@{DIGEST}"},
            {"name": "other", "image": "docker.io/library/redis:7"},
        ],
        "initContainers": [{"name": "init", "image": f"elsewhere.example/x@{DIGEST}"}],
    }
    made = installing.pointed({"kind": "Deployment", "spec": {"template": {"spec": pod}}}, OURS)
    spec = made["spec"]["template"]["spec"]
    assert [one["image"] for one in spec["containers"]] == [OURS, "docker.io/library/redis:7"]
    assert spec["initContainers"][0]["image"] == OURS
    assert pod["containers"][0]["image"] == f"webflix/catalogue@{DIGEST}"  # type: ignore[index]
