"""Test environments: a Compose file, or objects in a namespace, that live as long as a stage."""
