"""Data only: what every step of the pipeline takes and gives. No effects, no clock."""
