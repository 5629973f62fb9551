"""Wire structs and the HTTP client: the way in for the CLI and remote runners."""
