"""The repositories whose builds run while Fairway is killed, and what each build must come to."""

from __future__ import annotations

from dataclasses import dataclass, field

LEDGER = "/ledger/steps"  # a host folder in every step: who began, who came to the end
_ID = "$DRONE_REPO_NAME/$DRONE_BUILD_NUMBER/$DRONE_STAGE_NUMBER/$DRONE_STEP_NUMBER"
BEGIN, END = f"echo begin {_ID} >> {LEDGER}", f"echo end {_ID} >> {LEDGER}"
FLOOD = 20_000


@dataclass(frozen=True)
class Known:
    """A step that must end so, with exactly this after the trace of its commands."""

    status: str = "passed"
    commands: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    container: bool = True


@dataclass(frozen=True)
class Repository:
    """`steps` by (stage, step name); `hooks`: requests that each build's receiver must get."""

    name: str
    files: dict[str, str]
    status: str
    steps: dict[tuple[str, str], Known]
    hooks: int = 0
    images: int = 0
    events: tuple[str, ...] = field(default=("push", "custom"))


def ticking(word: str, number: int, pause: str = "0.5") -> tuple[str, ...]:
    """A step that says something every now and then."""
    loop = f"for i in $(seq 1 {number}); do echo {word} $i; sleep {pause}; done"
    return (BEGIN, loop, END)


def said(word: str, number: int) -> tuple[str, ...]:
    return tuple(f"{word} {i}" for i in range(1, number + 1))


def ticks(word: str, number: int, pause: str = "0.5") -> Known:
    return Known(commands=ticking(word, number, pause), lines=said(word, number))


def _step(name: str, commands: tuple[str, ...], *more: str) -> str:
    lines = [f"- name: {name}", "  image: busybox", "  pull: if-not-exists"]
    lines += ["  volumes: [{name: ledger, path: /ledger}]", "  commands:"]
    lines += [f"  - {command}" for command in commands]
    return "\n".join([*lines, *(f"  {line}" for line in more)]) + "\n"


def _pipeline(name: str, ledger: str, steps: str, *more: str) -> str:
    head = [f"kind: pipeline\ntype: docker\nname: {name}", *more]
    volume = f"volumes:\n- name: ledger\n  host: {{path: {ledger}}}"
    return "\n".join([*head, volume, "steps:", steps]) + "\n"


def _hook(name: str, url: str, *more: str) -> str:
    lines = [f"- name: {name}", "  image: plugins/webhook", f"  settings: {{urls: {url}}}", *more]
    return "\n".join(lines) + "\n"


def graph(ledger: str, url: str) -> Repository:
    """A DAG of steps with a flood in it."""
    flood = (BEGIN, f"seq 1 {FLOOD} | sed 's/^/flood /'", END)
    steps = (
        _step("first", ticking("first", 4))
        + _step("left", ticking("left", 6), "depends_on: [first]")
        + _step("flood", flood, "depends_on: [first]")
        + _step("last", ticking("last", 2), "depends_on: [left, flood]")
        + _hook("tell", url, "  depends_on: [last]")
    )
    known = {
        ("graph", "first"): ticks("first", 4),
        ("graph", "left"): ticks("left", 6),
        ("graph", "flood"): Known(commands=flood, lines=said("flood", FLOOD)),
        ("graph", "last"): ticks("last", 2),
        ("graph", "tell"): Known(container=False),
    }
    files = {".drone.yml": _pipeline("graph", ledger, steps)}
    return Repository("graph", files, "passed", known, hooks=1)


def stages(ledger: str, url: str) -> Repository:
    """A DAG of pipelines; one has a service that its step talks to."""
    asks = (BEGIN, "wget -q -O - http://web:8000/greeting", END)
    service = (
        "services:\n- name: web\n  image: busybox\n  pull: if-not-exists\n"
        "  commands:\n  - mkdir /srv\n  - echo hello from the service > /srv/greeting\n"
        "  - httpd -f -p 8000 -h /srv\n"
        "  x-fairway: {ready: {tcp: 8000, timeout: 60s}}"
    )
    text = (
        _pipeline("one", ledger, _step("one", ticking("one", 3)))
        + "---\n"
        + _pipeline("two", ledger, _step("asks", asks), service)
        + "---\n"
        + _pipeline(
            "three",
            ledger,
            _step("three", ticking("three", 2)) + _hook("tell", url),
            "depends_on: [one, two]",
        )
    )
    known = {
        ("one", "one"): ticks("one", 3),
        ("two", "asks"): Known(commands=asks, lines=("hello from the service",)),
        ("two", "web"): Known(container=False),
        ("three", "three"): ticks("three", 2),
        ("three", "tell"): Known(container=False),
    }
    return Repository("stages", {".drone.yml": text}, "passed", known, hooks=1)


def image(ledger: str, url: str) -> Repository:
    """An image is built and pushed to our registry, and a later step runs in it."""
    uses = (BEGIN, "cat /made", END)
    steps = (
        "- name: publish\n  image: plugins/docker\n  settings:\n"
        "    {repo: crash/image, tags: [latest, '${DRONE_BUILD_NUMBER}']}\n"
        + _step("uses", uses).replace("busybox", "crash/image")
        + _hook("tell", url)
    )
    known = {
        ("image", "publish"): Known(container=False),
        ("image", "uses"): Known(commands=uses, lines=("made",)),
        ("image", "tell"): Known(container=False),
    }
    files = {
        ".drone.yml": _pipeline("image", ledger, steps),
        "Dockerfile": "FROM busybox:latest\nRUN sleep 1 && echo made > /made\n",
    }
    return Repository("image", files, "passed", known, hooks=1, images=1)


def failing(ledger: str, url: str) -> Repository:
    """A step fails: what hangs on it is skipped, and the notification goes out."""
    fails = (BEGIN, "echo going wrong", END, "exit 3")
    steps = (
        _step("before", ticking("before", 2))
        + _step("fails", fails)
        + _step("after", ticking("after", 1))
        + _hook("tell", url, "  when: {status: [failure]}")
    )
    known = {
        ("failing", "before"): ticks("before", 2),
        ("failing", "fails"): Known("failed", fails, ("going wrong",)),
        ("failing", "after"): Known("skipped", container=False),
        ("failing", "tell"): Known(container=False),
    }
    files = {".drone.yml": _pipeline("failing", ledger, steps)}
    return Repository("failing", files, "failed", known, hooks=1)


def everything(ledger: str, url: str) -> list[Repository]:
    return [make(ledger, url) for make in (graph, stages, image, failing)]
