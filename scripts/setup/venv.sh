#!/usr/bin/env bash
# The virtual environment .venv with what the locks name, checked by hash, and onegig itself in it
# as .venv/bin/onegig. Run it with a kind of environment, or source it and call ensure_venv:
#   trusted    what `onegig comment` and `onegig publish` need
#   runtime    all that the command needs
#   dev        and what the tests need
# Nothing is done while the locks, the project's metadata and its folder are what they were. An
# environment is only used where this user's set-up made it: its secret is kept outside the checkout.
set -euo pipefail
SETUP=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=scripts/setup/common.sh
. "$SETUP/common.sh"
# shellcheck source=scripts/setup/packages.sh
. "$SETUP/packages.sh"

VENV=$ROOT/.venv
KINDS=(trusted runtime dev) # each has what the one before has, at the same versions
PYTHONS=${ONEGIG_PYTHON:-python3.13 python3.12 python3.11 python3 python3.14} # the first that will do
SUITABLE='import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))'

ensure_venv() { # KIND
    refuse_foreign_venv
    venv_fits "$1" || with_lock "$STATE/venv.lock" make_venv "$1"
}

refuse_foreign_venv() { # one that came with a commit, or that another user can change
    [ -e "$VENV" ] || [ -L "$VENV" ] || return 0
    [ -z "$(git -C "$ROOT" ls-files -- .venv 2>/dev/null | head -n 1)" ] ||
        fail ".venv is part of the repository: programs that somebody committed are not run" \
            "git rm -r --cached .venv, remove the folder and commit that"
    [ ! -L "$VENV" ] && [ -O "$VENV" ] ||
        fail "$VENV is a link or belongs to another user" "remove it, then run this again"
}

venv_is_ours() {
    local secret
    secret=$(cat "$STATE/venv" 2>/dev/null) && [ -n "$secret" ] &&
        [ "$(cat "$VENV/.onegig-secret" 2>/dev/null)" = "$secret" ]
}

claim_venv() { # remembers that .venv is this user's
    (
        umask 077
        od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$STATE/venv"
        cp "$STATE/venv" "$VENV/.onegig-secret"
    )
}

lock_of() { # KIND
    case " ${KINDS[*]} " in
        *" $1 "*) printf '%s' "$SETUP/requirements/$1.txt" ;;
        *) fail "'$1' is not a kind of environment" "give one of: ${KINDS[*]}" ;;
    esac
}

mark_of() { # KIND: what its installation depends on
    printf '%s %s' "$(checksum "$(lock_of "$1")" "$ROOT/pyproject.toml")" "$ROOT"
}

venv_fits() { # KIND
    venv_is_ours && [ -x "$VENV/bin/python" ] && [ -x "$VENV/bin/onegig" ] &&
        [ "$(cat "$VENV/.onegig-$1" 2>/dev/null)" = "$(mark_of "$1")" ]
}

make_venv() { # KIND
    ! venv_fits "$1" || return 0 # another set-up was faster
    local python kind lock
    lock=$(lock_of "$1")
    if ! venv_is_ours || ! [ -x "$VENV/bin/python" ]; then
        find_python
        [ ! -e "$VENV" ] || say "replacing .venv, which set-up did not make here"
        say "creating .venv with $(isolated "$python" -V)"
        rm -rf "$VENV"
        logged "virtual environment" isolated "$python" -m venv "$VENV" ||
            fail "the virtual environment could not be made" "fix: $python -m venv '$VENV'"
        claim_venv
    fi
    say "installing the locked $1 dependencies"
    pip install --require-hashes --only-binary=:all: -r "$lock"
    pip install --no-deps --no-build-isolation --no-index --editable "$ROOT"
    [ "$1" = trusted ] || take_dive_release || exit
    for kind in "${KINDS[@]}"; do
        printf '%s' "$(mark_of "$kind")" >"$VENV/.onegig-$kind"
        [ "$kind" != "$1" ] || break
    done
}

take_dive_release() ( # in the place of the wheel's; that stays where GitHub can't be reached
    # shellcheck source=scripts/setup/dive.env
    . "$SETUP/dive.env"
    [ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || exit 0
    name=dive_${DIVE_VERSION}_linux_amd64.tar.gz
    folder=$(mktemp -d "$VENV/dive.XXXXXX") # on the same disk, so that moving it is one step
    trap 'rm -rf "$folder"' EXIT
    download "https://github.com/wagoodman/dive/releases/download/v$DIVE_VERSION/$name" \
        "$folder/archive" || exit 0
    expect "$folder/archive" "$DIVE_SHA256" "$name" dive.env
    tar -xzf "$folder/archive" -C "$folder" dive
    chmod 755 "$folder/dive"
    mv -f "$folder/dive" "$VENV/bin/dive"
)

pip() {
    logged "pip" isolated "$VENV/bin/python" -m pip --disable-pip-version-check --quiet "$@" ||
        fail "pip could not install the dependencies" \
            "check the connection to the package index, then run this again"
}

isolated() { # PYTHON ARGUMENT...: imports nothing from the folder we are in, nor from PYTHONPATH
    local program
    program=$(type -P "$1") || return 127
    case $program in /*) ;; *) program=$PWD/$program ;; esac
    # its own children (ensurepip, the build of our package) get no -I, but they get the folder
    (cd / && unset PYTHONPATH PYTHONHOME PYTHONSTARTUP && exec "$program" -I "${@:2}")
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
        isolated "$python" -c "$SUITABLE" >/dev/null 2>&1 && return
    done
    return 1
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    ensure_venv "${1:-runtime}"
fi
