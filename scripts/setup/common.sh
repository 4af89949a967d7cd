# shellcheck shell=bash
# Shared by all set-up scripts: messages, failures, locks. Sourced. All messages go to standard error,
# because standard output belongs to the command that follows (such as --json).

# shellcheck disable=SC2034 # used by those that source it
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)

# Set-up is missing or failed; the same code as onegig's "build or boot failed".
EXIT_SETUP=3

SECONDS=${ONEGIG_SECONDS:-$SECONDS} # a script started by another one goes on counting

say() { # TEXT...: one plain line with the seconds so far
    [ -n "${ONEGIG_QUIET:-}" ] || printf '[%3ss] %s\n' "$SECONDS" "$*" >&"${SAY_FD:-2}"
}

fail() { # WHAT-HAPPENED WHAT-TO-DO...
    printf 'onegig: %s\n' "$1" >&2
    shift
    printf '  next: %s\n' "$@" >&2
    exit "$EXIT_SETUP"
}

absolute_path() { # PATH without entries that name another program in another folder
    local entry kept=
    while IFS= read -r -d : entry; do
        case $entry in /*) kept=$kept:$entry ;; esac
    done <<<"$PATH:"
    printf '%s' "${kept#:}"
}

is_ours() { # FOLDER: nobody but this user and root can have put files there
    [ -d "$1" ] && [ ! -L "$1" ] && [ -O "$1" ] &&
        [ -z "$(find "$1" -prune \( -perm -g+w -o -perm -o+w \))" ]
}

own_folder() { # FOLDER: made if it is not there; 1 when it can't be made or is not this user's
    (umask 077 && mkdir -p "$1" 2>/dev/null) && is_ours "$1"
}

own_home() ( # also where HOME is missing, or another user's as with some versions of sudo
    [ -O "${HOME:-}" ] || unset HOME
    printf '%s' ~
)

# Prints the folder where set-up remembers what it did; it is never in a checkout, where anybody who
# can commit a file could speak for us. GitHub empties RUNNER_TEMP before each job.
own_state() {
    local base
    for base in "${RUNNER_TEMP:-}" "${XDG_STATE_HOME:-}" "$(own_home)/.local/state"; do
        case $base in /*) ;; *) continue ;; esac
        if own_folder "$base/onegig"; then
            printf '%s' "$base/onegig"
            return
        fi
    done
    fail "there is no folder for the state of set-up: $base/onegig can't be made or is not yours" \
        "set XDG_STATE_HOME to a folder that only you can write to"
}

own_cache() { # PART: prints the folder of what is kept between runs
    local base=${XDG_CACHE_HOME:-}
    case $base in /*) ;; *) base=$(own_home)/.cache ;; esac
    if ! own_folder "$base/onegig" || ! own_folder "$base/onegig/$1"; then
        fail "$base/onegig/$1 can't be made, or others can write to it" \
            "make $(id -un) its only writer (chown, chmod go-w), or set XDG_CACHE_HOME"
    fi
    printf '%s' "$base/onegig/$1"
}

is_root() { [ "$(id -u)" = 0 ]; }

has() { command -v "$1" >/dev/null 2>&1; }

bounded() { # SECONDS COMMAND...: stopped after that time, where the system can
    if has timeout; then timeout --kill-after=2 "$@"; else "${@:2}"; fi
}

at_least() { # VERSION WANTED: compares the numbers of dotted versions; a leading v is fine
    local have=${1#v} want=$2 i
    for i in 1 2 3; do
        local a b
        a=$(printf '%s' "$have" | cut -d. -f"$i") b=$(printf '%s' "$want" | cut -d. -f"$i")
        a=${a%%[!0-9]*} b=${b%%[!0-9]*}
        [ "${a:-0}" -gt "${b:-0}" ] && return 0
        [ "${a:-0}" -lt "${b:-0}" ] && return 1
    done
    return 0
}

# shellcheck disable=SC2120
checksum() { # [FILE...]: one SHA-256 over all of them, in order, or over what is read
    cat -- "$@" | if has sha256sum; then sha256sum; else shasum -a 256; fi | cut -d' ' -f1
}

download() { # URL FILE: 1 when it can't be had
    has curl && logged "$1" curl --fail --silent --show-error --location --proto '=https' \
        --connect-timeout 10 --max-time 300 --output "$2" "$1" 2>/dev/null
}

expect() { # FILE SHA256 NAME PINS
    local found
    found=$(checksum "$1")
    [ -n "$2" ] && [ "$found" = "$2" ] ||
        fail "$3 has the wrong content: its SHA-256 is $found, not ${2:-pinned}" \
            "do not use it; compare scripts/setup/$4 with the release's own checksums"
}

logged() ( # TITLE COMMAND...: output kept back, shown only when the command fails
    title=$1 code=0
    shift
    log=$(mktemp "${TMPDIR:-/tmp}/onegig-setup.XXXXXX")
    trap 'rm -f "$log"' EXIT
    "$@" >"$log" 2>&1 </dev/null || code=$?
    if [ "$code" != 0 ]; then
        printf '%s\n' "--- $title: $*" >&2
        tail -n 40 "$log" >&2
        printf '%s\n' "--- ended with status $code" >&2
    fi
    exit "$code"
)

with_lock() { # FILE COMMAND...: one at a time for this user, where the system has flock
    local file=$1
    shift
    mkdir -p "$(dirname "$file")"
    if ! has flock; then
        "$@"
        return
    fi
    (
        flock -n 9 || { say "waiting for another set-up to finish"; flock 9; }
        "$@" 9>&- # no child keeps the lock: a daemon started here outlives us
    ) 9>>"$file"
}

PATH=$(absolute_path)
export PATH
SHARED=$(own_state) # what set-up remembers about this machine
# shellcheck disable=SC2034,SC2119 # no file: the path itself
STATE=$SHARED/$(printf '%s' "$ROOT" | checksum | cut -c1-16) # and about this checkout
mkdir -p "$STATE"
