#!/bin/sh
# compile.sh SOURCES PROGRAM: compile the guest's agent, static, in a Debian root with apt.
#
# Debian's tcc and musl-dev (a megabyte together) are downloaded, unpacked aside and used from
# there; nothing is installed. PROGRAM then runs in any guest of this architecture.
set -eu
sources=$1 program=$2
tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
cd "$tools"
apt-get -q -o APT::Sandbox::User=root download tcc musl-dev >&2
for package in *.deb; do dpkg-deb -x "$package" .; done
tcc=$(echo usr/lib/*/tcc)
include=$(echo usr/include/*-linux-musl)
libraries=$(echo usr/lib/*-linux-musl)
usr/bin/tcc -B"$tcc" -nostdinc -I"$tcc/include" -I"$include" -nostdlib -static -o "$program" \
    "$libraries/crt1.o" "$libraries/crti.o" "$sources"/*.c \
    "$libraries/libc.a" "$tcc/libtcc1.a" "$libraries/crtn.o"
