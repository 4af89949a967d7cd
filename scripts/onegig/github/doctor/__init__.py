"""`onegig doctor`: what keeps the gate of a repository from working, and how to fix it."""
