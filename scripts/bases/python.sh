#!/usr/bin/env bash
# CPython 3.13, built against musl and Alpine's own libraries, laid out as in python:3.13-alpine:
# shared libpython, pip, no bytecode. Used by assemble.sh; works in $WORK.
#   python.sh LAYER
set -euo pipefail
BASES=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=scripts/setup/common.sh
. "$BASES/../setup/common.sh"
SYSROOT=$WORK/sysroot PYTHON_ROOT=$WORK/python
LIBRARIES=$PYTHON_ROOT/usr/local/lib/python3.13

build() {
    cd "$WORK"
    tar xf python3.13_*.orig.tar.xz
    cd Python-3.13*/
    say "configuring Python 3.13"
    configure
    say "compiling Python 3.13 (a minute or two)"
    # ./python needs Alpine's libraries; for anything else of the host they would be poison
    local shared="RUNSHARED=LD_LIBRARY_PATH=$PWD:$SYSROOT/lib"
    make -s -j"$(nproc)" "$shared"
    # the bytecode that installing would compile three times over is not kept
    # shellcheck disable=SC2016 # make's variables
    sed -i 's/^\t-PYTHONPATH=\$(DESTDIR)\$(LIBDEST) /\t-: &/' Makefile
    make -s install "$shared" DESTDIR="$WORK/installed"
}

configure() {
    local without=() module
    for module in tkinter curses curses_panel gdbm dbm sqlite3; do # no libraries for these here
        without+=("py_cv_module__$module=n/a")
    done
    CC=$WORK/cc PKG_CONFIG=false ./configure -q --build=x86_64-linux-musl --prefix=/usr/local \
        --enable-shared --disable-test-modules --with-ensurepip=no --without-readline \
        --with-openssl="$SYSROOT" --with-openssl-rpath=no \
        CFLAGS="-O2 -fno-semantic-interposition -g0 -DTHREAD_STACK_SIZE=0x100000" \
        LDFLAGS="-L$SYSROOT/lib -Wl,--strip-all -Wl,--as-needed -Wl,-rpath-link,$SYSROOT/lib" \
        LIBFFI_CFLAGS="-I$SYSROOT/include" LIBFFI_LIBS="$SYSROOT/lib/libffi.a" \
        BZIP2_CFLAGS="-I$SYSROOT/include" BZIP2_LIBS="$SYSROOT/lib/libbz2.a" \
        LIBLZMA_CFLAGS="-I$SYSROOT/include" LIBLZMA_LIBS=-llzma \
        ZLIB_CFLAGS="-I$SYSROOT/include" ZLIB_LIBS=-lz \
        LIBUUID_CFLAGS="-I$SYSROOT/include/uuid" LIBUUID_LIBS=-luuid "${without[@]}"
}

lay_out() {
    say "adding pip to Python 3.13"
    bash "$BASES/alpine.sh" trim "$PYTHON_ROOT" ca-certificates xz-libs libuuid
    cp -a "$WORK/installed/usr/local/." "$PYTHON_ROOT/usr/local/"
    rm -rf "$LIBRARIES"/{idlelib,turtledemo,test} \
        "$PYTHON_ROOT"/usr/local/{share/man,bin/idle3*} "$LIBRARIES"/config-3.13-*/libpython3.13.a
    # what it was built with is asked for by extension modules: no path of this machine
    sed -i "s#$WORK/cc#gcc#g; s#$WORK#/usr/src#g" \
        "$LIBRARIES"/_sysconfigdata_*.py "$LIBRARIES"/config-3.13-*/Makefile
    chroot "$PYTHON_ROOT" /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin \
        PYTHONDONTWRITEBYTECODE=1 python3 -m ensurepip --default-pip
    rm -rf "$LIBRARIES/ensurepip/_bundled"
    find "$PYTHON_ROOT/usr/local" -name __pycache__ -type d -prune -exec rm -rf {} +
    local name
    for name in python pydoc; do ln -sf "${name}3" "$PYTHON_ROOT/usr/local/bin/$name"; done
    ln -sf python3-config "$PYTHON_ROOT/usr/local/bin/python-config"
}

pack() { # LAYER: what differs from the alpine image
    cd "$PYTHON_ROOT"
    tar --numeric-owner --sort=name --mtime="@$SOURCE_DATE_EPOCH" -cf "$1.new" usr/local usr/lib/liblzma.so.* \
        usr/lib/libuuid.so.* usr/sbin/update-ca-certificates usr/share/ca-certificates \
        etc/ca-certificates* etc/apk/world etc/apk/protected_paths.d usr/bin/c_rehash \
        lib/apk/db
    mv "$1.new" "$1"
}

build
lay_out
chroot "$PYTHON_ROOT" /usr/local/bin/python -c 'import asyncio, bz2, ctypes, decimal, lzma, ssl, uuid'
pack "$1"
say "Python 3.13 done"
