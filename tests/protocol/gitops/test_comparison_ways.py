"""The short way of a comparison says what the long one says, whatever was changed."""

from __future__ import annotations

import copy
from random import Random
from typing import Any, Final

import msgspec
import pytest
from changesmade import changed

from fairway.gitops.diff import Differ
from fairway.gitops.objects import Pair, key_of
from fairway.kube.objects import LAST_APPLIED
from fairway.model.errors import InvalidInput
from fairway.native.objects import Defaults
from fairway.native.toolbox import Toolbox

Json = dict[str, Any]
LABELS: Final = {"app": "web"}
TEMPLATE: Final = {
    "metadata": {"labels": LABELS},
    "spec": {
        "containers": [
            {
                "name": "web",
                "image": "nginx:1",
                "ports": [{"containerPort": 80}, {"containerPort": 81, "name": "more"}],
                "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                "resources": {"limits": {"cpu": "1000m", "memory": "64Mi"}},
                "args": ["--one", "--two"],
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            },
            {"name": "side", "image": "side"},
        ],
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "volumes": [{"name": "data", "emptyDir": {}}],
    },
}
OBJECTS: Final[tuple[Json, ...]] = (
    {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "labels": LABELS},
        "spec": {"selector": {"matchLabels": LABELS}, "template": TEMPLATE, "replicas": 2},
    },
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "web"},
        "spec": {"selector": LABELS, "ports": [{"port": 80}, {"port": 81, "name": "b"}]},
    },
    {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "web"},
        "spec": {
            "podSelector": {"matchLabels": LABELS},
            "ingress": [{"from": [{"podSelector": {}}], "ports": [{"port": 80}]}],
        },
    },
    {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "web"},
        "data": {"a": "1", "b": "2"},
    },
)


def pairs(toolbox: Toolbox, count: int, seed: int) -> list[Pair]:
    """Objects as they were applied, then changed live, or in Git, or both."""
    random = Random(seed)
    found = []
    for _ in range(count):
        wanted = copy.deepcopy(random.choice(OBJECTS))
        (filled,) = toolbox.ask_now(Defaults(objects=(wanted,)))
        live = copy.deepcopy(filled.object)
        if random.random() < 0.7:
            note = msgspec.json.encode(wanted).decode()
            live["metadata"]["annotations"] = {LAST_APPLIED: note}
        if random.random() < 0.6:
            live = changed(live, random)
        if random.random() < 0.3:
            wanted = changed(wanted, random)
        found.append(Pair(key=key_of(wanted), target=wanted, live=live))
    return found


def judged(toolbox: Toolbox, given: list[Pair]) -> list[bool | None]:
    """Whether each differs; None for nonsense that cannot be merged."""
    differ = Differ(toolbox)
    found: list[bool | None] = []
    for one in given:
        try:
            found.append(differ.differences([one], ())[0].modified)
        except InvalidInput:
            found.append(None)
    return found


@pytest.mark.parametrize("seed", range(4))
async def test_both_ways_of_comparing_agree(
    toolbox: Toolbox, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = pairs(toolbox, 60, seed)
    short = judged(toolbox, given)
    monkeypatch.setattr(Differ, "_is_easy", lambda _self, _sides: False)
    long = judged(toolbox, given)
    differing = [given[n] for n in range(len(given)) if long[n] not in (None, short[n])]
    assert differing == []
    assert {True, False} <= set(long)
