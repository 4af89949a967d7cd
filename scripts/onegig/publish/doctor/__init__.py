"""`onegig doctor`: what keeps the gate from working."""
