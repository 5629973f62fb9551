"""Fakes, contract suites and the simulated world. The product never imports it."""
