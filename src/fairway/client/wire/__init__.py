"""Our REST API on the wire: what `api/` answers and `client/` reads, one noun a file.

Times are RFC 3339 in UTC. Answers may gain fields; who reads them ignores what it does not know.
Requests are strict: an unknown field is refused with its path.
"""
