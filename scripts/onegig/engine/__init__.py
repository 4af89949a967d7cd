"""The container engine; nothing outside this room names its command or its client library."""


def compose(*options: str) -> list[str]:
    """Return the command that reads, starts or stops a compose project."""
    return ["docker", "compose", *options]
