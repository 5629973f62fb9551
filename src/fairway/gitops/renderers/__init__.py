"""How files become objects: one file per kind, under `gitops/renderer.py`."""
