"""The way into the Go programs of `native/`: where they are, and the toolbox."""
