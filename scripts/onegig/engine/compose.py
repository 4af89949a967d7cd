"""The compose command of the container engine."""


def compose(*options: str) -> list[str]:
    """Return the command that reads, starts or stops a compose project."""
    return ["docker", "compose", *options]
