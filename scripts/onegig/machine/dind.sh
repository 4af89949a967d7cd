# shellcheck shell=sh
# shellcheck source=scripts/onegig/machine/read_only.sh
# Entry of the box in the official dind image, which brings engine and certificates. Environment and
# standard input as in box.sh, and PROJECT, the project's folder.
: "${PROJECT:?}" "${MEMINFO?}" "${BRIDGE:?}" "${POOL:?}" "${KEEP_DISKS?}"
make_read_only "$PROJECT"
protect_kernel
[ -n "$KEEP_DISKS" ] || hide_disks
mkdir -p /.onegig
printf '%s' "$MEMINFO" >/.onegig/meminfo
echo -500 2>/dev/null >/proc/self/oom_score_adj || :
# shellcheck disable=SC2086 # a list of words
dockerd-entrypoint.sh ${ENGINE_OPTIONS:-} --bip "$BRIDGE" --default-address-pool "base=$POOL,size=24" \
    --log-level warn </dev/null &
engine=$!
read -r _ && read -r _ || :
kill "$engine" 2>/dev/null || :
wait "$engine" || :
