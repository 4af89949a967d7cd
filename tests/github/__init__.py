"""A stand-in for GitHub: a small, stateful server that speaks its REST API to the letter.

Every request and every answer is checked against GitHub's own OpenAPI description; what does not
fit is answered with 500 and kept in `StandIn.violations`.
"""
