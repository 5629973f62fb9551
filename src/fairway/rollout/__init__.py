"""Gradual release: Rollouts, the analyses that judge them, and the routers that shift traffic."""
