"""What `onegig init` writes: budgets.yml from measured values, and the two workflows."""
