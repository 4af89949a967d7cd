"""The exact account: the fate of every byte, its cause, what to change; dive's numbers."""
