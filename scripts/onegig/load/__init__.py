"""Reading what the user wrote: budgets.yml and the compose file. Mistakes carry file and line."""
