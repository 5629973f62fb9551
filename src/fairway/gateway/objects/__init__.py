"""Typed readers of the objects that the gateway obeys, from plain dicts. One file per noun."""
