"""What `make`, `scripts/setup`, `scripts/test` and `scripts/bench` do. Standard library only."""

import os

# The way in needed them; what is started from here must not inherit them.
os.environ.pop("PYTHONPATH", None)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
