"""Envoy itself: started, fed by files, and asked what it has taken."""
