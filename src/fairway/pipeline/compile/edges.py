"""What waits for what within a pipeline, and which graphs cannot be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def step_edges(
    order: Sequence[str], wanted: Mapping[str, tuple[str, ...]], *, clone: str
) -> dict[str, tuple[str, ...]]:
    """Every step's dependencies, implied ones too. `order` is clone, services, steps.

    Without any `depends_on` all run in a row, through the services. With one, whatever names no
    dependency hangs on the clone step (if there is one).
    """
    if not any(wanted.values()):
        pairs = zip(order, ["", *order[:-1]], strict=True)
        return {name: (before,) if before else () for name, before in pairs}
    edges: dict[str, tuple[str, ...]] = {}
    for name in order:
        implied = (clone,) if clone and name != clone else ()
        edges[name] = tuple(dict.fromkeys(wanted.get(name, ()))) or implied
    return edges


def bypass(edges: Mapping[str, tuple[str, ...]], gone: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The edges without some nodes: who waited for one of them waits for its ancestors."""
    left = set(gone)
    known: dict[str, tuple[str, ...]] = {}
    for name, names in edges.items():  # in file order: dependencies come first
        found: dict[str, None] = {}
        for before in names:
            if before in left:
                found.update(dict.fromkeys(known.get(before, ())))
            else:
                found[before] = None
        known[name] = tuple(found)
    return {name: names for name, names in known.items() if name not in left}
