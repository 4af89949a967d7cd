"""How much of everything a comment shows, from plenty to what always fits."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """Numbers of items that are listed, open or folded; the rest is counted."""

    problems: int
    logs: int
    services: int  # of those that changed, and of the others
    images: int = 20  # with their bytes by cause
    remarks: int = 30  # about Dockerfiles
    limits: int = 12
    files: int = 6


ROOMS = (
    *(Room(problems=100, logs=5, services=count) for count in (1000, 700, 500, 350, 200)),
    Room(problems=50, logs=2, services=100),
    Room(problems=20, logs=2, services=60),
    Room(problems=10, logs=0, services=20, images=5, remarks=5, limits=6),
    Room(problems=5, logs=0, services=0, images=0, remarks=0, limits=6, files=3),
)
