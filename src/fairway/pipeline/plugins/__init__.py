"""Plugins that Fairway runs itself: one file per plugin, under `pipeline/plugin.py`'s contract."""
