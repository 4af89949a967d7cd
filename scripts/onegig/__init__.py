"""onegig: will this compose stack fit a one-gigabyte cloud machine? Answered by measuring."""

__version__ = "0.1.0"
