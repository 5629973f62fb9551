"""Image build, the OCI registry, candidates, base images, retention."""
