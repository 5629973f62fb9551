"""The kind `Delivery` in the hub. Its gates are open maps there: the reader (`spec.py`) is strict,
and says with a path in the status what is wrong.
"""

from __future__ import annotations

from typing import Final

from fairway.kube.crd import Column, Crd, Typed
from fairway.kube.kind import Kind

DELIVERY: Final = Kind("fairway.dev", "v1alpha1", "deliveries", "Delivery")
_ANYTHING: Final = Typed("anything", {})

CRD: Final = Crd(
    kind=DELIVERY,
    fields={
        "spec!": {
            "tests": {"repository!": "string", "branch": "string", "parameters": {"*": "string"}},
            "services!": [
                {
                    "name!": "string",
                    "repository!": "string",
                    "chart": "string",
                    "image": "string",
                    "digestValue": "string",
                }
            ],
            "environments!": [
                {
                    "name!": "string",
                    "cluster": "string",
                    "application": "string",
                    "registry": "string",
                    "configuration!": {
                        "repository!": "string",
                        "path!": "string",
                        "branch": "string",
                    },
                    "follows": "string",
                    "admits": "string",
                    "gates": _ANYTHING,
                    "verification": "any",
                    "services": {
                        "*": {"application": "string", "path": "string", "gates": _ANYTHING}
                    },
                }
            ],
        },
        "status": {
            "observedGeneration": "int64",
            "conditions": [
                {
                    "type!": "string",
                    "status!": "string",
                    "reason": "string",
                    "message": "string",
                    "lastTransitionTime": "time",
                }
            ],
        },
    },
    short=("dlv",),
    columns=(
        Column("Ready", ".status.conditions[?(@.type=='Ready')].status"),
        Column("Reason", ".status.conditions[?(@.type=='Ready')].message"),
    ),
)
