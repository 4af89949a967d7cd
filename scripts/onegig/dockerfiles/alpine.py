"""Alpine's names of Debian's packages, and which only compiling or a person needs. Pure.

A name that is not listed is taken over as it is, and reported as unsure.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from onegig.package_names import is_development_name


def _table(text: str) -> dict[str, str]:
    """Read a table from "name" or "name=value" separated by spaces; "name" stands for itself."""
    pairs = (word.partition("=") for word in text.split())
    return {name: value if given else name for name, given, value in pairs}


# Debian's name = Alpine's; nothing for what Alpine's Python image or busybox has already
_RUNTIME = _table("""
    bash ca-certificates= curl default-mysql-client=mariadb-client dnsutils=bind-tools dumb-init
    ffmpeg gettext gettext-base=gettext-envsubst git gosu=su-exec graphviz imagemagick iproute2
    iputils-ping= jq libcurl4=libcurl libffi8=libffi libglib2.0-0=glib libgl1=mesa-gl
    libgomp1=libgomp libjpeg62-turbo=libjpeg-turbo libmagic1=libmagic
    libmariadb3=mariadb-connector-c libpng16-16=libpng libpq5=libpq libsqlite3-0=sqlite-libs
    libssl3= libstdc++6=libstdc++ libxml2 libxslt1.1=libxslt media-types=mailcap netbase=
    netcat-openbsd= netcat-traditional= nginx openssh-client openssl postgresql-client procps=
    python3= redis-tools=valkey-cli sqlite3=sqlite supervisor tini tzdata unzip= wget= xz-utils=
    zlib1g=
""")
# Debian's name = what compiling takes on Alpine, and after a comma what the result needs to run
_COMPILE = _table("""
    build-essential=build-base cargo cmake
    default-libmysqlclient-dev=mariadb-dev,mariadb-connector-c g++=build-base,libstdc++
    gcc=build-base gfortran=gfortran,libgfortran libc6-dev=build-base
    libcurl4-openssl-dev=curl-dev,libcurl libffi-dev=libffi-dev,libffi
    libjpeg-dev=libjpeg-turbo-dev,libjpeg-turbo libjpeg62-turbo-dev=libjpeg-turbo-dev,libjpeg-turbo
    libmariadb-dev=mariadb-dev,mariadb-connector-c libpq-dev=libpq-dev,libpq
    libsqlite3-dev=sqlite-dev,sqlite-libs libssl-dev=openssl-dev libxml2-dev=libxml2-dev,libxml2
    libxslt1-dev=libxslt-dev,libxslt libxslt-dev=libxslt-dev,libxslt libyaml-dev=yaml-dev,yaml
    make=build-base pkg-config=pkgconf python3-dev= python3-pip= python3-venv= rustc=rust
    zlib1g-dev=zlib-dev
""")
_FOR_PEOPLE = _table("""
    vim nano less htop strace gdb tmux screen man-db locales apt-utils software-properties-common
    lsb-release gnupg sudo tree
""")
PROGRAMS = _table("""
    bash curl git jq openssl pg_isready=postgresql-client psql=postgresql-client
    redis-cli=valkey-cli tini
""")  # a program of a full Debian image, and the package that has it on Alpine


@dataclass(frozen=True, slots=True)
class Packages:
    """A distribution's packages sorted by who needs them; each tuple without repetitions."""

    runtime: tuple[str, ...] = ()  # Alpine's names
    compile: tuple[str, ...] = ()  # Alpine's names: only in the stage that compiles
    compiled: tuple[str, ...] = ()  # Alpine's names: what comes out of compiling needs these
    left_out: tuple[str, ...] = ()  # as written
    unsure: tuple[str, ...] = ()  # taken over by the same name


def translate(packages: Iterable[tuple[str, str]]) -> Packages:
    """Sort packages and give them Alpine's names; each is a kind ("dpkg", "apk") and a name."""
    runtime, compiling, compiled = [], [], []
    left_out, unsure = [], []
    for kind, name in packages:
        if name in _FOR_PEOPLE:
            left_out.append(name)
        elif kind == "dpkg" and name in _COMPILE:
            tool, _, library = _COMPILE[name].partition(",")
            compiling.append(tool)
            compiled.append(library)
        elif kind == "dpkg" and name in _RUNTIME:
            runtime.append(_RUNTIME[name])
        else:
            is_tool = is_development_name(kind, name) and name != "git"
            (compiling if is_tool else runtime).append(name)
            unsure += [name] if kind == "dpkg" else []
    lists = (runtime, compiling, compiled, left_out, unsure)
    return Packages(*(tuple(dict.fromkeys(filter(None, names))) for names in lists))
