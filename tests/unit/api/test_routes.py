"""What the API serves."""

from __future__ import annotations

import importlib
import pkgutil

from fairway import api
from fairway.api import app


def test_every_file_of_routes_is_served() -> None:
    names = [one.name for one in pkgutil.iter_modules(api.__path__)]
    modules = [importlib.import_module(f"fairway.api.{name}") for name in names]
    routed = {one.__name__ for one in modules if hasattr(one, "ROUTES")}
    served = {one.__name__ for one in app._NOUNS} | {"fairway.api.health"}
    assert routed == served
