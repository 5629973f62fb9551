"""Users' way to a Kubernetes API: through Fairway, as themselves, with an audit entry."""
