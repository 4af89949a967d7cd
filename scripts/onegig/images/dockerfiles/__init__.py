"""Dockerfiles: read, held against rules, and a better one proposed and tried."""
