"""platform-memory: proportional set size of everything Fairway runs but dockerd, idle, MB.

Kubernetes, containerd and its shims, the pods' pause programs, Envoy, Fairway itself.
"""

from __future__ import annotations

import time
from pathlib import Path

from bench import clusters
from bench.lib import finish

from fairway.cluster import cgroups
from fairway.cluster.layout import layout
from fairway.cluster.setting_up import read_plan

BAR = "<= 900"
QUIET_S = 60
SAMPLES = 5


def main() -> None:
    """Run it."""
    found = []
    with clusters.place() as place:
        time.sleep(QUIET_S)
        for number in range(SAMPLES):
            sizes = measured(place)
            found.append(sum(sizes.values()))
            if number == 0:
                for name, size in sorted(sizes.items(), key=lambda one: -one[1]):
                    print(f"{size:8.1f} MB  {name}", flush=True)
            time.sleep(1)
    finish("platform-memory", found, [1.0], BAR, unit="MB")


def measured(place: clusters.Place) -> dict[str, float]:
    """Megabytes of each of our processes."""
    plan = read_plan(layout(place.data, clusters.NAME))
    pods = cgroups.members(plan.cgroup) if plan else set()
    folder = str(place.data)
    found = {}
    for path in Path("/proc").iterdir():
        if not path.name.isdigit():
            continue
        try:
            words = (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
            ours = folder in " ".join(words) or int(path.name) in pods
            if ours and "dockerd" not in words[0] and "docker/" not in " ".join(words):
                found[f"{' '.join(words[:3])[:70]} ({path.name})"] = pss_mb(path)
        except OSError:
            continue
    return found


def pss_mb(process: Path) -> float:
    """A process's proportional set size."""
    for line in (process / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    main()
