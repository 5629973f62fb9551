"""A Kubernetes API in memory, in the loop's time: what clients, chapters and voyages run against.

`server.SimApi` is the cluster's state, `transport.SimTransport` a way to it with its faults, and
`workloads.Workloads` what makes pods of it. It passes the contracts that the real API passes.
"""

from fairway.testing.simkube.server import SimApi
from fairway.testing.simkube.transport import SimTransport, Weather

__all__ = ["SimApi", "SimTransport", "Weather"]
