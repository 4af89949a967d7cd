"""Dockerfiles: parse them, check them against the policy, propose an Alpine one and try it."""
