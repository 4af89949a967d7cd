"""Choose the variables that a program gets: a short list for each, and all of them for compose.

Compose hands on to builds and containers whatever of its environment a compose file names, as
`${NAME}`, as a bare `environment: [NAME]` or as a secret. At the prompt that is the user's shell,
as with `docker compose up`. In a job of GitHub Actions the file may be a stranger's, so that there
compose gets neither what GitHub keeps for the job nor what looks like a secret.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from onegig.files import checkout, home_folder

NAMED = "ONEGIG_COMPOSE_VARIABLES"  # what looks like a secret and may be given to compose in a job
PATH, LIBRARIES = "PATH", "LD_LIBRARY_PATH"  # the latter: actions/setup-python's Python needs it

_EVERY = re.compile(
    r"HOME|USER|LOGNAME|LANG|LANGUAGE|LC_\w+|TZ|TERM|TMPDIR|TMP|TEMP|XDG_\w+|"
    r"(HTTPS?|ALL|FTP|NO)_PROXY|SSL_CERT_(FILE|DIR)|(CURL|REQUESTS)_CA_BUNDLE",
    re.IGNORECASE,
)
_DOCKER = re.compile(
    # the last two lines are for helpers that log in to registries
    r"(DOCKER|BUILDX|BUILDKIT)_\w+|SSH_AUTH_SOCK|"
    r"AWS_\w+|AZURE_\w+|CLOUDSDK_\w+|GOOGLE_APPLICATION_CREDENTIALS|"
    r"DBUS_SESSION_BUS_ADDRESS|GNUPGHOME|PASSWORD_STORE_DIR"
)
_GIT = re.compile(
    r"GIT_(SSL|HTTP|CONFIG|SSH|PROXY)\w*|GIT_ASKPASS|GIT_TERMINAL_PROMPT|SSH_(AUTH_SOCK|ASKPASS)"
)
_PYTHON = re.compile(r"PIP_\w+|MPLCONFIGDIR|(NPY|OMP|OPENBLAS)_\w+|PYTHON(DONTWRITEBYTECODE|UTF8)")
_TRIVY = re.compile(r"DOCKER_CONFIG")  # a login at the registry of its databases
_MORE = {"docker": _DOCKER, "git": _GIT, "trivy": _TRIVY}

# of a job: facts that a stack may be labelled with; all else of GitHub's is for the job alone
_FACTS = re.compile(
    r"GITHUB_(ACTIONS|ACTOR|ACTOR_ID|(API|SERVER|GRAPHQL)_URL|(BASE|HEAD)_REF|EVENT_NAME|JOB|"
    r"REF|REF_(NAME|TYPE|PROTECTED)|REPOSITORY|REPOSITORY_(ID|OWNER|OWNER_ID)|"
    r"RUN_(ID|NUMBER|ATTEMPT)|SHA|TRIGGERING_ACTOR|WORKFLOW|WORKSPACE)"
)
_JOBS_OWN = re.compile(r"(GITHUB|ACTIONS|RUNNER|INPUT|STATE)_.*|GH_TOKEN", re.IGNORECASE)
_SECRET = re.compile(
    r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|PRIVATE|APIKEY|_PWD|"
    r"(^|_)(KEY|PASS|AUTH|PAT|DSN|SAS)(_|$)",
    re.IGNORECASE,
)
_LEAST_SECRET = 8  # characters: shorter values are in others by chance
_STEERING = re.compile(
    # the loader, the C library, shells and Go's runtime
    r"PATH|HOME|PWD|OLDPWD|SHELL|ENV|IFS|CDPATH|BASH\w*|TMPDIR|TMP|TEMP|TERMINFO\w*|EDITOR|VISUAL|"
    r"PAGER|BROWSER|(LD|DYLD|GLIBC|MALLOC|XDG|DBUS)_\w+|LOCPATH|NLSPATH|GCONV_PATH|GETCONF_DIR|"
    r"HOSTALIASES|LOCALDOMAIN|RES_OPTIONS|GODEBUG|GOTRACEBACK|GOGC|GOMEMLIMIT|GOMAXPROCS|GOCOVERDIR|"
    # the programs themselves
    r"(DOCKER|COMPOSE|BUILDX|BUILDKIT|GIT|SSH|TRIVY|DIVE|HADOLINT|ONEGIG|OTEL)_\w+|"
    r"(PYTHON|GNUPG)\w*|"
    # the network, and a job of GitHub Actions
    r"\w+_PROXY|SSL_\w+|(CURL|REQUESTS)_CA_BUNDLE|(GITHUB|ACTIONS|RUNNER|INPUT)_\w+",
    re.IGNORECASE,
)


def steers_programs(name: str) -> bool:
    """Return whether a variable decides how programs of this machine run.

    Such a name is never taken from a file of the checkout.
    """
    return _STEERING.fullmatch(name) is not None


def choose_variables(argv: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an environment that a command gets."""
    program = Path(argv[0]).name
    if program == "docker-compose" or (program == "docker" and argv[1:2] == ["compose"]):
        held = held_back(environment)
        chosen = {name: text for name, text in environment.items() if name not in held}
    else:
        more = _PYTHON if program.startswith("python") else _MORE.get(program)
        chosen = {
            name: text
            for name, text in environment.items()
            if _EVERY.fullmatch(name) or (more and more.fullmatch(name))
        }
    for name in (PATH, LIBRARIES):
        folders = list(outside_checkout(environment.get(name, "")))
        chosen.pop(name, None)
        if folders:
            chosen[name] = os.pathsep.join(folders)
    return chosen


def held_back(environment: Mapping[str, str]) -> frozenset[str]:
    """Return the names of variables that compose does not get in a GitHub Actions job."""
    if environment.get("GITHUB_ACTIONS") != "true":
        return frozenset()
    named = environment.get(NAMED, "").split()
    own = {name for name in environment if _JOBS_OWN.fullmatch(name) and not _FACTS.fullmatch(name)}
    texts = (environment[name] for name in own if _SECRET.search(name))
    secrets = [text for text in texts if len(text) >= _LEAST_SECRET]
    copies = {n for n, text in environment.items() if any(secret in text for secret in secrets)}
    likely = {name for name in environment if _SECRET.search(name)}.difference(named)
    return frozenset(own | copies | likely)


def explain_held_back(text: str, environment: Mapping[str, str]) -> str:
    """Explain why compose does not get a variable that is set, or return ""."""
    held = held_back(environment)
    name = next((word for word in re.findall(r"\w+", text) if word in held), "")
    if _JOBS_OWN.fullmatch(name):
        return f"{name} belongs to the GitHub job and is not passed to compose"
    return (
        name
        and f"{name} looks like a secret and is not passed to compose; list it in {NAMED} to "
        "pass it"
    )


def outside_checkout(text: str) -> Iterator[str]:
    """Yield the folders of a PATH that a checkout can't write to: absolute ones that are not in it.

    An empty or relative entry is a folder below the current one.
    """
    root = Path(os.path.realpath(checkout()))
    home = Path(os.path.realpath(home_folder()))
    for folder in text.split(os.pathsep):
        if not os.path.isabs(folder):  # noqa: PTH117 - text
            continue
        is_inside = Path(os.path.realpath(folder)).is_relative_to(root)
        if not is_inside or home.is_relative_to(root):  # a home folder is no checkout
            yield folder


def search_path(first: Iterable[str] = ()) -> str:
    """Return the folders to search for programs: the given ones, then those of PATH."""
    return os.pathsep.join((*first, *outside_checkout(os.environ.get(PATH, os.defpath))))
