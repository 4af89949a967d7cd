#!/usr/bin/env bash
# What compiling for Alpine on Debian needs. Used by assemble.sh; works in $WORK.
#   sysroot.sh compiler     $WORK/cc, musl-gcc with the kernel's headers after its own
#   sysroot.sh libraries    $WORK/sysroot: Debian's headers, Alpine's own libraries, libffi, bzip2
set -euo pipefail
SYSROOT=$WORK/sysroot CC=$WORK/cc

compiler() {
    mkdir -p "$SYSROOT/include" "$SYSROOT/lib"
    ln -sfn /usr/include/linux /usr/include/asm-generic "$SYSROOT/include/"
    ln -sfn /usr/include/x86_64-linux-gnu/asm "$SYSROOT/include/asm"
    # asked for its triplet it must say musl, or Python's configure stops and wheels don't match
    cat >"$CC" <<SH
#!/bin/sh
for argument; do
    case \$argument in
        --print-multiarch | -print-multiarch) echo x86_64-linux-musl && exit ;;
    esac
done
exec musl-gcc -w -idirafter $SYSROOT/include "\$@"
SH
    chmod +x "$CC"
}

libraries() {
    cd "$WORK"
    headers
    alpine_libraries
    (libffi)
    (bzip2)
}

headers() {
    local package
    for package in libssl-dev zlib1g-dev liblzma-dev uuid-dev; do
        dpkg -x "$package"_*.deb headers
    done
    cp -r headers/usr/include/{openssl,lzma,lzma.h,uuid,zlib.h} "$SYSROOT/include/"
    cp -r headers/usr/include/x86_64-linux-gnu/openssl/. "$SYSROOT/include/openssl/"
    find headers -name zconf.h -exec cp {} "$SYSROOT/include/" \;
    # Alpine's OpenSSL is built without compression
    printf '#undef OPENSSL_NO_COMP\n#define OPENSSL_NO_COMP\n' \
        >>"$SYSROOT/include/openssl/configuration.h"
}

alpine_libraries() { # linked against where Python will run
    local library name version
    for library in ssl:3 crypto:3 z:1 lzma:5 uuid:1; do
        name=lib${library%:*}.so version=${library#*:}
        cp -L "$(find full/usr/lib full/lib -maxdepth 1 -name "$name.$version" -print -quit)" \
            "$SYSROOT/lib/$name.$version"
        ln -sf "$name.$version" "$SYSROOT/lib/$name"
    done
}

libffi() { # its archive has no configure; on x86_64 nine files make the library
    tar xf libffi_*.orig.tar.gz
    cd libffi-3*/
    local version
    version=$(sed -n 's/^AC_INIT(\[libffi\],\[\([0-9.]*\)\].*/\1/p' configure.ac)
    sed -e "s/@VERSION@/$version/; s/@FFI_VERSION_STRING@/$version/; s/@FFI_VERSION_NUMBER@/30408/" \
        -e 's/@TARGET@/X86_64/; s/@HAVE_LONG_DOUBLE@/1/; s/@HAVE_LONG_DOUBLE_VARIANT@/0/' \
        -e 's/@FFI_EXEC_TRAMPOLINE_TABLE@/0/' include/ffi.h.in >include/ffi.h
    cp src/x86/ffitarget.h include/
    ffi_config >fficonfig.h
    local file
    for file in src/{prep_cif,types,raw_api,closures,tramp}.c src/x86/{ffi64.c,ffiw64.c,unix64.S,win64.S}; do
        "$CC" -c -O2 -fPIC -fexceptions -DHAVE_CONFIG_H -I. -Iinclude -Isrc \
            -o "$(basename "$file").o" "$file"
    done
    ar crs "$SYSROOT/lib/libffi.a" ./*.o
    cp include/ffi.h include/ffitarget.h "$SYSROOT/include/"
}

ffi_config() {
    printf '#define HAVE_%s 1\n' ALLOCA_H AS_X86_PCREL AS_X86_64_UNWIND_SECTION_TYPE \
        HIDDEN_VISIBILITY_ATTRIBUTE LONG_DOUBLE MEMCPY MEMFD_CREATE MKOSTEMP INTTYPES_H STDINT_H \
        STDLIB_H STRING_H SYS_TYPES_H SYS_STAT_H UNISTD_H
    cat <<'H'
#define STDC_HEADERS 1
#define FFI_EXEC_STATIC_TRAMP 1
#define SIZEOF_DOUBLE 8
#define SIZEOF_LONG_DOUBLE 16
#define SIZEOF_SIZE_T 8
#define EH_FRAME_FLAGS "a"
#ifdef LIBFFI_ASM
#define FFI_HIDDEN(name) .hidden name
#else
#define FFI_HIDDEN __attribute__ ((visibility ("hidden")))
#endif
H
}

bzip2() {
    tar xf bzip2_*.orig.tar.gz
    cd bzip2-1*/
    make -s libbz2.a CC="$CC" CFLAGS="-O2 -fPIC -D_FILE_OFFSET_BITS=64"
    cp bzlib.h "$SYSROOT/include/"
    cp libbz2.a "$SYSROOT/lib/"
}

"$1"
