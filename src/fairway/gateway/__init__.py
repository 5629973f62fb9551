"""Gateway API and Ingress objects to Envoy configuration, confirmed."""
