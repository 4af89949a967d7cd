# shellcheck shell=bash
# What the tests take from npm: GitHub's descriptions of itself and a linter. Sourced after
# packages.sh.

NPM=$ROOT/tests/npm

ensure_npm() { # tests/npm/node_modules as its lock says; without npm those tests are skipped
    local mark=$NPM/node_modules/.onegig lock
    lock=$(checksum "$NPM/package-lock.json")
    [ "$(cat "$mark" 2>/dev/null)" != "$lock" ] || return 0
    if ! has npm && can_install; then
        apt_update
        apt_install nodejs npm
    fi
    if ! has npm; then
        say "no npm: the tests against GitHub's schemas are skipped"
        return 0
    fi
    say "installing the locked npm packages"
    logged "npm" npm --prefix "$NPM" ci --ignore-scripts --no-audit --no-fund ||
        fail "npm could not install the tests' packages" \
            "check the connection to the npm registry, then run this again"
    printf '%s' "$lock" >"$mark"
}
