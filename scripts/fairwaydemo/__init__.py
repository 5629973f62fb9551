"""The two demos, live in the terminal, and what both stand on.

`voyage` is `make demo`: a change of a film site goes to production and back. `pipelines` is
`make demo-pipelines`: three services from push to image, and a pipeline that deploys them itself.
"""

import os

# The way in needed them; what is started from here must not inherit them.
os.environ.pop("PYTHONPATH", None)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
