"""`check --github`: the half that runs anybody's code."""
