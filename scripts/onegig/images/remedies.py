"""Which live files an image does not need, and how to keep them out. Pure.

There is no remedy for bytecode: without it `import redis.asyncio` takes 1.1 s instead of 0.15 s.
Nor for caches that programs of the distribution read (debconf, ldconfig, fontconfig), nor for
translations in a library's package, which it may show.
"""

import re
from dataclasses import dataclass

from onegig.images.causes import Explained
from onegig.images.path_causes import PATH
from onegig.model.images import Cause


@dataclass(frozen=True, slots=True)
class Remedy:
    """Advice about files of one kind.

    `problem` follows the instruction that caused it, with {size} and {names} to be filled in.
    """

    problem: str
    advice: str


_SAME_RUN = "delete it in the same RUN"
_CACHES = [
    (re.compile(path), Remedy("left {size} in {names}", advice))
    for path, advice in (
        (
            r"/(?:root|home/[^/]+)/\.cache/pip",
            "add --no-cache-dir, or mount a cache there (RUN --mount=type=cache,target={names})",
        ),
        (r".*/\.npm", "end that RUN with `npm cache clean --force`, or mount a cache there"),
        (r"/var/lib/apt/lists", "end that RUN with `rm -rf /var/lib/apt/lists/*`"),
        (r"/var/cache/apt", "end that RUN with `apt-get clean`"),
        (
            r"/(?:var/cache|etc/apk/cache|lib/apk/cache).*apk.*|/lib/apk/cache",
            "use `apk add --no-cache`",
        ),
        (r"/(?:var/)?tmp|/var/log", _SAME_RUN),
        (r"(?!/var/cache/).*", f"{_SAME_RUN}, or mount a cache there"),
    )
]
_INSTALLERS = re.compile(
    r"(?:pip|setuptools|wheel|npm|corepack|yarn|ensurepip)(?: .*)?", re.IGNORECASE
)
_INSIDE = re.compile(r"(?:tests|headers|static libraries) (?:of|in) .*|/usr/(?:local/)?lib/.*")
_STRAY = re.compile(r"/.*/(?:\.[^/]+|tests?|__tests__|htmlcov|venv|node_modules|[^/]+\.egg-info)")

COMPILERS = Remedy(
    "left {size} that only building needs ({names})",
    "build in a separate stage and COPY --from it what runs, or remove it in the same RUN"
    " (`apk add --virtual .build ... && apk del .build`, `apt-get purge --auto-remove`)",
)
REQUIREMENTS = Remedy(
    "installed {size} that only development needs ({names})",
    "move that to a separate requirements file, which the image does not install",
)
NODE_REQUIREMENTS = Remedy(REQUIREMENTS.problem, "use `npm ci --omit=dev`")
INSTALLERS = Remedy(
    "left {size} of installers ({names})",
    "install in a separate stage and COPY --from it what runs",
)
INSIDE = Remedy(
    "installed {size} of tests, headers and static libraries ({names})",
    f"{_SAME_RUN}, or COPY --from a stage where they are deleted",
)
STRAYS = Remedy("copied {size} that the image does not need ({names})", "add it to .dockerignore")
DOCUMENTATION = Remedy(
    "installed {size} of documentation and locales ({names})",
    f"{_SAME_RUN}; dpkg leaves it out with path-exclude in /etc/dpkg/dpkg.cfg.d",
)
BASE = Remedy(
    "has {size} that nothing needs at run time ({names})",
    "build on it, and COPY --from that stage what runs onto its -slim or -alpine variant, or"
    " onto plain alpine",
)


def remedy_of(file: Explained) -> Remedy | None:
    """Return the remedy for a file; None where nothing should be done."""
    if file.cause is Cause.CACHE:
        return _cache_remedy(file.name)
    if file.cause is Cause.DOCUMENTATION:
        return DOCUMENTATION if file.name.startswith("/") else None
    if file.cause is not Cause.DEVELOPMENT:
        return None
    if _INSTALLERS.fullmatch(file.name.rpartition("/")[2]):
        return INSTALLERS
    if _INSIDE.fullmatch(file.name):
        return INSIDE
    if file.kind == PATH:
        return STRAYS if _STRAY.fullmatch(file.name) else COMPILERS
    return {"pip": REQUIREMENTS, "npm": NODE_REQUIREMENTS}.get(file.kind, COMPILERS)


def _cache_remedy(name: str) -> Remedy | None:
    if not name.startswith("/"):
        return None
    return next((remedy for path, remedy in _CACHES if path.fullmatch(name)), None)
