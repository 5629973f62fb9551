"""Git repositories on disk, read with pygit2 and written by git itself."""
