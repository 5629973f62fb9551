"""`make voyage`: a change of a film site goes to production and back, live in the terminal.

It takes the place of the demo once it has run whole; until then what both need is here as well.
"""
