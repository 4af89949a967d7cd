"""The parts of the pull-request comment, each a function from a report to Markdown."""
