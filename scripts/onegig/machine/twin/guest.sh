# shellcheck shell=sh
# Runs in the guest of the twin, as root, at each boot: shows the stack the files that it mounts,
# sets the kernel up and becomes the agent, which samples and takes commands over the virtio port.
#
# The data disk is mounted at /onegig:
#   bin, lib     the engine's programs, and the libraries that the guest may lack
#   data         the engine's data root, to appear at DATA_ROOT
#   files        what the stack mounts from the host, by path; `sources` says what is what
#   settings     variables: HZ, HUGE_PAGES, OVERCOMMIT, SWAPPINESS, SWAP_BYTES, ZRAM_BYTES, CONTROL_PORT,
#                DATA_ROOT, and UNITS of systemd that are the engine
#   engine       there once the engine was started: it then starts with the machine
#   remarks      of this boot, for the report
#   problem      there if the machine can't be used
set -eu
own=/onegig
# shellcheck source=/dev/null
. "$own/settings"

# The agent starts whatever failed before it: its host asks for the problem.
become_agent() {
    port=/dev/virtio-ports/onegig
    until [ -e "$port" ]; do sleep 0.1; done
    exec "$own/agent" "$HZ" <>"$port" >&0
}
trap become_agent EXIT
echo "its preparation failed" >"$own/problem" # gone at the end of this script
: >"$own/remarks"

say() { echo "onegig: $*" | tee -a "$own/remarks"; }

refuse() {
    echo "$*" >"$own/problem"
    exit 1
}

# Mount what the stack expects of its host at the same places. `sources` has a kind and a path a line:
# f a file, d a folder, e an empty folder, l a link, whose target follows after a tab.
attach_sources() {
    tab=$(printf '\t')
    while IFS= read -r line; do
        kind=${line%% *} path=${line#* }
        case $kind in
        d | e) mkdir -p "$path" ;;
        f) mkdir -p "${path%/*}" && { [ -e "$path" ] || : >"$path"; } ;;
        l) mkdir -p "${path%/*}" && ln -sfn "${path#*"$tab"}" "${path%%"$tab"*}" ;;
        esac || say "$path could not be made in the twin."
        case $kind in
        d | f) mountpoint -q "$path" || mount --rbind "$own/files$path" "$path" || say "$path is missing in the twin." ;;
        esac
    done <"$own/sources"
}

# Let the engine's port be reached from outside the machine alone, by the address that QEMU's network
# gives to the outside; and not from inside by the way round through the outside.
guard_engine() {
    command -v iptables >/dev/null || refuse "its image has no iptables"
    iptables -w -I INPUT -p tcp --dport 2375 ! -s 192.0.2.2 -j DROP
    iptables -w -t raw -I PREROUTING -d 192.0.2.0/24 -p tcp --dport "$CONTROL_PORT" -j DROP
    iptables -w -t raw -I OUTPUT -d 192.0.2.0/24 -p tcp --dport "$CONTROL_PORT" -j DROP
}

# Hand what comes from outside for a port published on a loopback address to it, as the load is no
# stranger. LOOPBACK_PORTS has items like tcp/127.0.0.1:80.
open_loopback_ports() {
    for published in ${LOOPBACK_PORTS:-}; do
        protocol=${published%%/*} address=${published#*/}
        sysctl -qw net.ipv4.conf.all.route_localnet=1 2>/dev/null ||
            echo 1 >/proc/sys/net/ipv4/conf/all/route_localnet
        iptables -w -t nat -I PREROUTING -s 192.0.2.2 -p "$protocol" --dport "${address#*:}" \
            -j DNAT --to-destination "$address"
    done
}

# Both are asked whether they succeeded, which switches `set -e` off in them.
add_swap_file() {
    [ -f "$own/swap" ] || {
        fallocate -l "$SWAP_BYTES" "$own/swap" && chmod 600 "$own/swap" && mkswap "$own/swap" >/dev/null
    } && swapon "$own/swap"
}

add_zram() {
    modprobe zram num_devices=1 || return 1
    echo zstd >/sys/block/zram0/comp_algorithm || say "The twin's zram does not use zstd."
    echo "$ZRAM_BYTES" >/sys/block/zram0/disksize && mkswap /dev/zram0 >/dev/null &&
        swapon -p 100 /dev/zram0
}

# Put the engine's units and files in their places.
install_engine() {
    for unit in "$own"/*.service "$own"/*.socket; do
        [ ! -e "$unit" ] || cp "$unit" /run/systemd/system/
    done
    if [ -e "$own/containers.conf" ]; then
        mkdir -p /etc/containers /run/systemd/system/podman-restart.service.d
        cp "$own/containers.conf" /etc/containers/
        cp "$own/podman-restart.conf" /run/systemd/system/podman-restart.service.d/
        ln -sfn /run/podman/podman.sock /run/docker.sock
    fi
}

[ -z "${HUGE_PAGES:-}" ] || echo "$HUGE_PAGES" >/sys/kernel/mm/transparent_hugepage/enabled
[ -z "${OVERCOMMIT:-}" ] || echo "$OVERCOMMIT" >/proc/sys/vm/overcommit_memory
[ -z "${SWAPPINESS:-}" ] || echo "$SWAPPINESS" >/proc/sys/vm/swappiness
attach_sources
[ "${SWAP_BYTES:-0}" -eq 0 ] || add_swap_file || say "The twin has no swap file: it could not be made."
[ "${ZRAM_BYTES:-0}" -eq 0 ] || add_zram || say "The twin has no zram: it could not be set up."
guard_engine
open_loopback_ports
mkdir -p "$DATA_ROOT"
mountpoint -q "$DATA_ROOT" || mount --bind "$own/data" "$DATA_ROOT"
install_engine
systemctl daemon-reload
# shellcheck disable=SC2086 # a list of words
[ ! -e "$own/engine" ] || systemctl start --no-block $UNITS
rm "$own/problem"
