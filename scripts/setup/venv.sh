#!/usr/bin/env bash
# The virtual environment .venv with what the locks name, checked by hash, and onegig itself in it
# as .venv/bin/onegig. Run it with `runtime` or `dev` (adds what the tests need), or source it and
# call ensure_venv. Nothing is done while the locks, the project's metadata and its folder are
# what they were.
set -euo pipefail
SETUP=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=scripts/setup/common.sh
. "$SETUP/common.sh"
# shellcheck source=scripts/setup/packages.sh
. "$SETUP/packages.sh"

VENV=$ROOT/.venv
PYTHONS=${ONEGIG_PYTHON:-python3.13 python3.12 python3.11 python3 python3.14} # the first that will do
SUITABLE='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'

ensure_venv() { # runtime | dev
    venv_fits "$1" || with_lock "$STATE/venv.lock" make_venv "$1"
}

lock_of() { # KIND
    case $1 in
        runtime) printf '%s' "$SETUP/requirements.lock" ;;
        dev) printf '%s' "$SETUP/requirements-dev.lock" ;;
        *) fail "'$1' is no kind of environment" "give runtime or dev" ;;
    esac
}

mark_of() { # KIND: what its installation depends on
    printf '%s %s' "$(checksum "$(lock_of "$1")" "$ROOT/pyproject.toml")" "$ROOT"
}

venv_fits() { # KIND
    [ -x "$VENV/bin/python" ] && [ -x "$VENV/bin/onegig" ] &&
        [ "$(cat "$VENV/.onegig-$1" 2>/dev/null)" = "$(mark_of "$1")" ]
}

make_venv() { # KIND
    ! venv_fits "$1" || return 0 # another set-up was faster
    local python
    if ! [ -x "$VENV/bin/python" ] || [ "$(cat "$VENV/.onegig-root" 2>/dev/null)" != "$ROOT" ]; then
        find_python
        say "creating .venv with $("$python" -V)"
        rm -rf "$VENV"
        logged "virtual environment" "$python" -m venv "$VENV" ||
            fail "the virtual environment could not be made" "mend: $python -m venv '$VENV'"
        printf '%s' "$ROOT" >"$VENV/.onegig-root"
    fi
    say "installing the locked $1 dependencies"
    pip install --require-hashes --only-binary=:all: -r "$(lock_of "$1")"
    pip install --no-deps --no-build-isolation --no-index --editable "$ROOT"
    printf '%s' "$(mark_of "$1")" >"$VENV/.onegig-$1"
    # the dev lock holds every runtime dependency at the runtime lock's versions
    [ "$1" != dev ] || printf '%s' "$(mark_of runtime)" >"$VENV/.onegig-runtime"
}

pip() {
    logged "pip" "$VENV/bin/python" -m pip --disable-pip-version-check --quiet "$@" ||
        fail "pip could not install the dependencies" \
            "check the connection to the package index, then run this again"
}

find_python() { # sets $python of the caller; installs one as root on Debian and Ubuntu
    suitable_python && return
    can_install ||
        fail "no Python 3.11 or later with venv was found (tried: $PYTHONS)" \
            "install one; on Debian and Ubuntu: sudo apt-get install python3 python3-venv"
    apt_update
    local name
    for name in python3 python3.13 python3.12 python3.11; do
        at_least "$(candidate "$name")" 3.11 || continue
        apt_install "$name" "$name-venv"
        suitable_python && return
    done
    fail "this distribution has no Python 3.11 or later" "install one, then run this again"
}

suitable_python() {
    for python in $PYTHONS; do
        "$python" -c "$SUITABLE" >/dev/null 2>&1 && return
    done
    return 1
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    ensure_venv "${1:-runtime}"
fi
