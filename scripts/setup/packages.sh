# shellcheck shell=bash
# Debian and Ubuntu packages, as root. Sourced after common.sh.

TRIXIE_SOURCES=/etc/apt/sources.list.d/onegig-trixie.sources
TRIXIE_PIN=/etc/apt/preferences.d/onegig-trixie
DEBIAN_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

can_install() { is_root && has apt-get && has dpkg; }

distribution() { # "debian", "ubuntu", ... or nothing
    # shellcheck disable=SC1091 # every distribution brings its own
    (. /etc/os-release 2>/dev/null && printf '%s' "${ID:-}") || :
}

APT_LISTS=/var/lib/apt/lists

apt_update() { # [anew]: lists a few minutes old will do, unless sources have changed
    if [ "${1:-}" != anew ] && [ -n "$(find "$APT_LISTS" -maxdepth 0 -mmin -10 2>/dev/null)" ] &&
        compgen -G "$APT_LISTS/*Release" >/dev/null; then
        return
    fi
    say "reading the package lists"
    logged "package lists" apt-get -qq update ||
        fail "the package lists could not be read" "fix 'apt-get update', then run this again"
}

apt_install() { # PACKAGE-OR-OPTION...: without a question, without recommended extras
    local names=${*##*/} # a package's file by the package's name
    say "installing $names"
    DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l logged "installation" apt-get -y -qq \
        --no-install-recommends -o Dpkg::Options::=--force-confold -o Dpkg::Use-Pty=0 \
        install "$@" ||
        fail "the packages could not be installed: $names" \
            "fix 'apt-get install --no-install-recommends $*', then run this again"
}

candidate() { # PACKAGE: the version apt would install, without the epoch; nothing if there is none
    LC_ALL=C apt-cache policy "$1" 2>/dev/null |
        sed -n 's/^  Candidate: \([0-9]*:\)\{0,1\}\([0-9].*\)$/\2/p'
}

debian_mirror() { # the mirror this machine uses for Debian, else Debian's own
    local site
    # shellcheck disable=SC2016 # apt's own placeholder
    site=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Origin: Debian' \
        'Label: Debian' 2>/dev/null | sort -u | head -n 1)
    printf '%s' "${site:-http://deb.debian.org/debian}"
}

add_trixie() { # Debian 13 beside an older Debian, at a priority at which nothing moves by itself
    [ ! -f "$TRIXIE_SOURCES" ] || [ ! -f "$TRIXIE_PIN" ] || return 0
    say "adding Debian 13 (trixie) to apt at low priority: $TRIXIE_SOURCES"
    printf 'Package: *\nPin: release n=trixie\nPin-Priority: 100\n' >"$TRIXIE_PIN"
    printf 'Types: deb\nURIs: %s\nSuites: trixie\nComponents: main\nSigned-By: %s\n' \
        "$(debian_mirror)" "$DEBIAN_KEYRING" >"$TRIXIE_SOURCES"
}
