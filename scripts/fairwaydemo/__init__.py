"""The demo, live in the terminal: what it stands on, and in `voyage` what it tells.

Three services of a film site go from push to running site by pipelines alone; then a change of it
goes to production and back.
"""

import fairwaydev  # noqa: F401 nobody inherits what the way in needed: it takes that away
