"""Which live files need not be in an image, and what keeps them out. Pure.

No remedy is offered for bytecode: without it `import redis.asyncio` takes 1.1 s instead of 0.15 s.
Nor for caches that programs of the distribution read (debconf, ldconfig, fontconfig), nor for
translations in a library's package, which it may show.
"""

import re
from dataclasses import dataclass

from onegig.images.causes import Explained
from onegig.images.path_causes import PATH
from onegig.model.images import Cause


@dataclass(frozen=True, kw_only=True, slots=True)
class Remedy:
    """One thing to do about files of one kind.

    `says` follows the instruction that is to blame, with {size} and {names} to be filled in.
    """

    says: str
    how: str


_SAME_RUN = "delete it in the same RUN"
_CACHES = (
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
    (
        r".*/\.cache(?:/.*)?|.*/go/pkg|.*/(?:\.cargo|cargo)/.*",
        f"{_SAME_RUN}, or mount a cache there",
    ),
    (r"/(?:var/)?tmp|/var/log", _SAME_RUN),
    (r"(?!/var/cache/).*", f"{_SAME_RUN}, or mount a cache there"),
)
_LEFT = "left {size} in {names}"
_CACHE_REMEDIES = [(re.compile(path), Remedy(says=_LEFT, how=how)) for path, how in _CACHES]
_INSTALLERS = re.compile(
    r"(?:pip|setuptools|wheel|npm|corepack|yarn|ensurepip)(?: .*)?", re.IGNORECASE
)
_INSIDE = re.compile(r"(?:tests|headers|static libraries) (?:of|in) .*|/usr/(?:local/)?lib/.*")
_STRAY = re.compile(r"/.*/(?:\.[^/]+|tests?|__tests__|htmlcov|venv|node_modules|[^/]+\.egg-info)")

COMPILERS = Remedy(
    says="left {size} that only building needs ({names})",
    how="build in a stage of its own and COPY --from it what runs, or remove it in the same RUN"
    " (`apk add --virtual .build ... && apk del .build`, `apt-get purge --auto-remove`)",
)
REQUIREMENTS = Remedy(
    says="installed {size} that only development needs ({names})",
    how="keep that in a requirements file of its own, which the image does not install",
)
NODE_REQUIREMENTS = Remedy(
    says="installed {size} that only development needs ({names})",
    how="use `npm ci --omit=dev`",
)
INSTALLERS = Remedy(
    says="left {size} of installers ({names})",
    how="install in a stage of its own and COPY --from it what runs",
)
INSIDE = Remedy(
    says="installed {size} of tests, headers and static libraries ({names})",
    how=f"{_SAME_RUN}, or COPY --from a stage where they are deleted",
)
STRAYS = Remedy(
    says="holds {size} that the image does not need ({names})", how="name it in .dockerignore"
)
DOCUMENTATION = Remedy(
    says="installed {size} of documentation and locales ({names})",
    how=f"{_SAME_RUN}; dpkg leaves it out with path-exclude in /etc/dpkg/dpkg.cfg.d",
)
BASE = Remedy(
    says="has {size} that nothing needs at run time ({names})",
    how="build on it, and COPY --from that stage what runs onto its -slim or -alpine variant, or"
    " onto plain alpine",
)


def remedy_of(file: Explained) -> Remedy | None:
    """What to do about a file of the image's own layers; None where nothing should be done."""
    if file.cause is Cause.CACHE:
        return _cache(file.name)
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


def _cache(name: str) -> Remedy | None:
    if not name.startswith("/"):
        return None
    return next((remedy for path, remedy in _CACHE_REMEDIES if path.fullmatch(name)), None)
