# shellcheck shell=bash
# Functions that both launchers need. Sourced.

# shellcheck source=scripts/setup/engine.sh
. "$(dirname "${BASH_SOURCE[0]}")/engine.sh"
# shellcheck source=scripts/setup/browser.sh
. "$(dirname "${BASH_SOURCE[0]}")/browser.sh"
# shellcheck source=scripts/setup/npm.sh
. "$(dirname "${BASH_SOURCE[0]}")/npm.sh"
# shellcheck source=scripts/setup/redis.sh
. "$(dirname "${BASH_SOURCE[0]}")/redis.sh"
# shellcheck source=scripts/setup/venv.sh
. "$(dirname "${BASH_SOURCE[0]}")/venv.sh"
# shellcheck source=scripts/setup/twin.sh
. "$(dirname "${BASH_SOURCE[0]}")/twin.sh"
# shellcheck source=scripts/setup/trivy.sh
. "$(dirname "${BASH_SOURCE[0]}")/trivy.sh"

use_bases() { # exports the base images that docker builds take as arguments
    ONEGIG_SECONDS=$SECONDS "$ROOT/scripts/bases/ensure"
    set -a
    # shellcheck source=/dev/null # written by scripts/bases/ensure, outside of every checkout
    . "$STATE/bases.env"
    set +a
}
