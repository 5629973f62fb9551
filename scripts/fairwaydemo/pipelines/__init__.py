"""`make demo-pipelines`: three pushes, each from unit tests to a candidate and a running site."""
