"""Releases: what was built and passed becomes a version, and goes from environment to environment.

`decide.py` says what is next for one service in one environment, purely; `making.py` makes
releases of candidates, `promoting.py` carries promotions out, `controller.py` runs both.
"""
