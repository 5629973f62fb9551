"""Fairway: one channel from `git push` to production, marked, and with a way back."""

__version__ = "0.1.0.dev0"
