#!/usr/bin/env bash
# QEMU and mmdebstrap for the twin, the virtual machine of `--on twin`. Run it by itself
# (sudo scripts/setup/twin.sh), or source it and call ensure_twin.
set -euo pipefail
SETUP=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=scripts/setup/common.sh
. "$SETUP/common.sh"
# shellcheck source=scripts/setup/packages.sh
. "$SETUP/packages.sh"

TWIN_PROGRAMS=(qemu-system-x86_64 mmdebstrap mke2fs genisoimage)
TWIN_PACKAGES=(qemu-system-x86 mmdebstrap e2fsprogs debian-archive-keyring genisoimage)
OLDEST_QEMU=8.0 # older ones crash now and then when they emulate several processors

ensure_twin() {
    local program missing=() target=()
    for program in "${TWIN_PROGRAMS[@]}"; do has "$program" || missing+=("$program"); done
    [ ${#missing[@]} != 0 ] || return 0
    can_install ||
        fail "the twin needs ${missing[*]}, which this user can't install" \
            "as root on Debian and Ubuntu: apt-get install ${TWIN_PACKAGES[*]}" \
            "or measure in the box: --on box"
    apt_update
    if ! at_least "$(candidate qemu-system-x86)" "$OLDEST_QEMU" && [ "$(distribution)" = debian ]; then
        add_trixie
        apt_update anew
        target=(-t trixie)
    fi
    apt_install "${target[@]}" "${TWIN_PACKAGES[@]}"
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    ensure_twin
    say "everything for the twin is installed"
fi
