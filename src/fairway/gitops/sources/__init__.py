"""Where manifests come from: one file per kind of source, under `gitops/source.py`."""
