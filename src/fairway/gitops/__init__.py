"""GitOps: what Git and registries say, brought to clusters and kept there."""
