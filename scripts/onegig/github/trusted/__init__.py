"""The trusted workflow: judge the numbers of a run again, comment, and set the status."""
