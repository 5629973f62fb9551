"""Blobs: a folder (or S3) behind one contract."""
