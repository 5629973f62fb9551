"""YAML -> config -> graph -> run: pipelines, their builds, runners and engines."""
