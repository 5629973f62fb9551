"""Identities, tokens, scopes, sealing keys: who may do what, decided in one place."""
