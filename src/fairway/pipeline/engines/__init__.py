"""Where steps run: one file per engine, all under the contract of `pipeline/engine.py`."""
