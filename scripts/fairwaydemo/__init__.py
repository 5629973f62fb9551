"""The two demos, live in the terminal, and what both stand on.

`voyage` is `make demo`: a change of a film site goes to production and back. `pipelines` is
`make demo-pipelines`: three services from push to image, and a pipeline that deploys them itself.
"""

import fairwaydev  # noqa: F401 nobody inherits what the way in needed: it takes that away
