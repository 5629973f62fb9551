"""The command line: one file per command group. Imports the client only."""
