"""Audit a Redis or Valkey server: what its memory holds, and what would save some."""
