"""The OCI registry: distribution specification 1.1 as one raw ASGI application."""

from fairway.image.registry.access import Access, Rights
from fairway.image.registry.app import Deps, registry_app

__all__ = ["Access", "Deps", "Rights", "registry_app"]
