"""The Docker Engine: its daemon and its API."""
