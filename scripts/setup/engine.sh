#!/usr/bin/env bash
# A Docker Engine with compose and buildx that answers: the one there is, or the one there is but
# asleep, or, as root on Debian and Ubuntu, one from the distribution's packages. An engine that
# answers is never touched. Run it by itself (sudo scripts/setup/engine.sh), or source it and
# call ensure_engine. Exit status 3 when there is none to be had.
set -euo pipefail
SETUP=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=scripts/setup/common.sh
. "$SETUP/common.sh"
# shellcheck source=scripts/setup/packages.sh
. "$SETUP/packages.sh"

OLDEST_ENGINE=24.0 OLDEST_COMPOSE=2.20 OLDEST_BUILDX=0.11
ENGINE_LOG=/var/log/onegig-dockerd.log
ENGINE_SOCKET=/var/run/docker.sock
START_SECONDS=60

ensure_engine() {
    local version
    if ! version=$(engine_version); then
        refuse_what_is_not_ours
        with_lock "$SHARED/engine.lock" start_or_install
        version=$(engine_version) || no_engine
        say "Docker Engine $version answers"
    fi
    at_least "$version" "$OLDEST_ENGINE" ||
        fail "Docker Engine $version is too old: $OLDEST_ENGINE or later is needed" \
            "upgrade it; an engine that answers is never replaced from here"
    plugins_fit || install_plugins
}

engine_version() { bounded 10 docker version --format '{{.Server.Version}}' 2>/dev/null; }

compose_version() { docker compose version --short 2>/dev/null; }

buildx_version() { docker buildx version 2>/dev/null | cut -d' ' -f2; }

plugins_fit() {
    at_least "$(compose_version || echo 0)" "$OLDEST_COMPOSE" &&
        at_least "$(buildx_version || echo 0)" "$OLDEST_BUILDX"
}

refuse_what_is_not_ours() { # an engine elsewhere, or one this user may not ask
    if [ -n "${DOCKER_HOST:-}" ] && [ "$DOCKER_HOST" != "unix://$ENGINE_SOCKET" ]; then
        fail "no Docker Engine answers at DOCKER_HOST=$DOCKER_HOST" \
            "start that engine, or unset DOCKER_HOST to use the one of this machine"
    fi
    if ! is_root && [ -S "$ENGINE_SOCKET" ] && [ ! -w "$ENGINE_SOCKET" ]; then
        fail "this user is not allowed to use the Docker Engine ($ENGINE_SOCKET)" \
            "sudo usermod -aG docker $(id -un), then log in again; or run this as root"
    fi
}

no_engine() {
    if [ "$(uname -s)" != Linux ]; then
        fail "no Docker Engine answers" "start Docker Desktop (or another engine), then run this again"
    fi
    ! is_root ||
        fail "no Docker Engine answers, and this system has no apt-get to install one" \
            "install or start one: https://docs.docker.com/engine/install/"
    fail "no Docker Engine answers, and this user can neither start nor install one" \
        "as root: scripts/setup/engine.sh (installs one on Debian and Ubuntu, once)" \
        "or start or install one yourself: https://docs.docker.com/engine/install/"
}

start_or_install() {
    engine_version >/dev/null && return 0 # another set-up was faster
    is_root || no_engine
    { has docker && has dockerd; } || install_engine
    start_engine
}

install_engine() {
    can_install || no_engine
    say "no Docker Engine here: installing one"
    apt_update
    engine_packages
    # shellcheck disable=SC2086 # a list of words
    apt_install $TARGET $PACKAGES iptables ca-certificates
}

install_plugins() {
    can_install ||
        fail "docker compose (found: $(compose_version || echo none)) or docker buildx (found: $(buildx_version || echo none)) is missing or too old" \
            "install compose $OLDEST_COMPOSE and buildx $OLDEST_BUILDX or later; as root on Debian and Ubuntu: scripts/setup/engine.sh"
    say "the engine answers; its compose or buildx plugin is missing or too old"
    apt_update
    engine_packages
    # shellcheck disable=SC2086 # a list of words
    apt_install $TARGET $PLUGINS
    plugins_fit ||
        fail "docker finds compose '$(compose_version || :)' and buildx '$(buildx_version || :)' after installing $PLUGINS" \
            "remove older plugins from ~/.docker/cli-plugins and /usr/local/lib/docker/cli-plugins"
}

# Sets PACKAGES, PLUGINS and TARGET (an option for apt) to what this distribution calls them.
engine_packages() {
    TARGET='' PLUGINS='docker-compose docker-buildx'
    if dpkg -s docker-ce >/dev/null 2>&1; then # Docker's own packages
        PLUGINS='docker-compose-plugin docker-buildx-plugin'
    elif [ -n "$(candidate docker-compose-v2)" ]; then # Ubuntu
        PLUGINS='docker-compose-v2 docker-buildx'
    elif ! at_least "$(candidate docker-compose)" "$OLDEST_COMPOSE" ||
        [ -z "$(candidate docker-buildx)" ]; then
        [ "$(distribution)" = debian ] ||
            fail "this distribution's compose and buildx are too old" \
                "install an engine by hand: https://docs.docker.com/engine/install/"
        add_trixie
        apt_update anew
        TARGET='-t trixie'
    fi
    PACKAGES="docker.io $PLUGINS"
    # shellcheck disable=SC2086 # TARGET is a list of words
    [ -z "$(candidate docker-cli)" ] || PACKAGES="docker.io docker-cli $PLUGINS"
}

start_engine() {
    if [ -d /run/systemd/system ]; then
        say "starting the Docker Engine (systemctl start docker)"
        logged "start" systemctl start docker || :
    elif ! pgrep -r R,S,D -x dockerd >/dev/null 2>&1; then
        say "starting the Docker Engine (dockerd, log in $ENGINE_LOG)"
        # left by an engine that was killed: its number may belong to another process, or a dead one
        rm -f /var/run/docker.pid /var/run/docker/containerd/containerd.pid
        setsid dockerd >"$ENGINE_LOG" 2>&1 </dev/null &
    fi
    local end=$((SECONDS + START_SECONDS))
    until engine_version >/dev/null; do
        if [ "$SECONDS" -ge "$end" ]; then
            [ ! -f "$ENGINE_LOG" ] || tail -n 20 "$ENGINE_LOG" >&2
            fail "the Docker Engine did not answer within $START_SECONDS s of its start" \
                "read its log: $ENGINE_LOG, or journalctl -u docker"
        fi
        sleep 0.3
    done
}

if [ "${BASH_SOURCE[0]}" = "$0" ]; then
    ensure_engine
    say "Docker Engine $(engine_version), compose $(compose_version), buildx $(buildx_version)"
fi
