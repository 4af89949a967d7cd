"""GitHub's stand-in and a client of it."""

from github.fixtures import client, clock, stand_in

__all__ = ["client", "clock", "stand_in"]
