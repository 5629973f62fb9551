"""Checked routes and listeners to Envoy v3 resources, as plain dicts."""
