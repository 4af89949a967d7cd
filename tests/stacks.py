"""Services of a compose project as `load` gives them."""

from dataclasses import replace

from onegig.model.stack import Service

_PLAIN = Service(
    name="",
    image="",
    builds=False,
    dockerfile=None,
    replicas=1,
    has_healthcheck=False,
    depends_on=(),
    optional=False,
    criticality="",
    memory_limit_bytes=None,
)


def plain_service(name: str, image: str = "", **changes: object) -> Service:
    """A service that only runs an image (default: of its own name); `changes` are its fields."""
    return replace(_PLAIN, name=name, image=image or name, **changes)  # type: ignore[arg-type]  # any field
