"""budgets.yml and the compose project: read, checked, explained."""
