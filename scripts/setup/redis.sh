# shellcheck shell=bash
# A Redis or Valkey server for the services' tests. Sourced after packages.sh.

ensure_redis() { # puts valkey-server or redis-server on PATH; no service of the system is started
    local brand
    export PATH=$STATE/bin:$PATH
    for brand in valkey redis; do ! has "$brand-server" || return 0; done
    if ! can_install; then
        say "no valkey-server or redis-server: the services' Redis tests are skipped"
        return 0
    fi
    apt_update
    # the tools' own package holds the server's program: it acts by the name it is called by
    brand=valkey
    [ -n "$(candidate valkey-tools)" ] || brand=redis
    apt_install "$brand-tools"
    mkdir -p "$STATE/bin"
    ln -sf "$(command -v "$brand-check-rdb")" "$STATE/bin/$brand-server"
}
