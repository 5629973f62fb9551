"""Names and media types of the OCI specifications; a client for foreign registries."""
