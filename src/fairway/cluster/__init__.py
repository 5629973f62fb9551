"""The embedded Kubernetes and registered clusters."""
