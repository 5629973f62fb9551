"""Logs: appended chunks with an offset index, followed live, read by ranges, searched."""
