"""The nouns. One noun, one file: plain frozen structs, statuses, events and errors."""
