# shellcheck shell=bash
# A browser for the tests of the HTML report. Sourced after packages.sh.

BROWSERS=(chromium chromium-browser google-chrome google-chrome-stable)

ensure_browser() { # Debian's chromium as root; elsewhere those tests are skipped and say so
    local browser
    for browser in "${BROWSERS[@]}"; do ! has "$browser" || return 0; done
    if can_install && [ "$(distribution)" = debian ]; then
        apt_update
        apt_install chromium
    else
        say "no browser: the browser tests of the HTML report are skipped"
    fi
}
