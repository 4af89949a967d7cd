#!/usr/bin/env bash
# Valkey 8 with its own jemalloc, built against musl, without TLS. Used by assemble.sh; works in
# $WORK.
#   valkey.sh build          the programs, in $WORK/valkey-root
#   valkey.sh layer LAYER    with the user of the official image added to Alpine's
set -euo pipefail
# shellcheck source=scripts/setup/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../setup/common.sh"
VALKEY_ROOT=$WORK/valkey-root

build() {
    say "compiling Valkey 8 (a minute or two)"
    cd "$WORK"
    tar xf valkey_*.orig.tar.*
    # jemalloc adds no optimization of its own once there are CFLAGS
    make -s -C valkey-8*/src -j"$(nproc)" valkey-server valkey-cli CC="$WORK/cc" CFLAGS=-O2 \
        OPTIMIZATION=-O2 DEBUG= MALLOC=jemalloc BUILD_TLS=no USE_SYSTEMD=no
    local bin=$VALKEY_ROOT/usr/local/bin
    mkdir -p "$bin"
    strip -o "$bin/valkey-server" valkey-8*/src/valkey-server
    strip -o "$bin/valkey-cli" valkey-8*/src/valkey-cli
    chmod 755 "$bin"/*
    ln -s valkey-server "$bin/redis-server"
    ln -s valkey-cli "$bin/redis-cli"
    say "Valkey 8 done"
}

layer() { # LAYER
    cd "$VALKEY_ROOT"
    mkdir -p etc data
    chown 999:1000 data
    cp -p "$WORK"/alpine/etc/{passwd,group,shadow} etc/
    echo 'valkey:x:999:1000:valkey:/data:/sbin/nologin' >>etc/passwd
    echo 'valkey:!::0:::::' >>etc/shadow
    echo 'valkey:x:1000:' >>etc/group
    ./usr/local/bin/valkey-server --version
    tar --numeric-owner --sort=name --mtime="@$SOURCE_DATE_EPOCH" -cf "$1.new" data etc usr
    mv "$1.new" "$1"
}

"$@"
