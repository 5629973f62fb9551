"""How a process comes up and goes: ports opened from settings, HTTP, start, stop, backup.

`lifecycle` is what the command line calls; `running` runs `fairway serve`; `opening` makes the
`ports` that `app.App` stands on; `server` listens; `process` finds a running Fairway again.
"""
