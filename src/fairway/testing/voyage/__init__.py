"""Voyages: the real controllers of Applications, Rollouts and releases, in two processes, over two
simulated clusters in virtual time, with seeded faults and people who change their minds.

`python -m fairway.testing.voyage FIRST COUNT [--trace] [--bite NAME]`.
"""
