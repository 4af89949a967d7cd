# shellcheck shell=sh
# shellcheck source=scripts/onegig/machine/read_only.sh
# Entry of the box: a fresh Docker Engine from the host's own programs, alone in its container.
#
# The container sees the host's root read-only at /host and has a volume at /box. Its new root is an
# overlay: the host's files below, the volume on top, so that a stack finds every file of the host
# and may write anywhere, and nothing reaches the host. (The root is entered by pivot_root: after a
# mere chroot, `docker exec` and health checks inside the box would enter the wrong root.) Then:
#   /.onegig         the volume
#   /.onegig/bin     copies of the engine's programs: their pages are the box's own, charged to it
#                    and not shared with the host's engine, as on a machine with one engine
#   /.onegig/data    the nested engine's data root, also at /var/lib/docker, where tools expect it
#   /.onegig/sock    the folder of the socket for the outside, bound from there until onegig has
#                    taken the socket out of it: a stack that reached it could put another there
#   /run             fresh; the engine's socket for containers of the stack is /run/docker.sock
#
# Environment, lists with an entry a line:
#   PROGRAMS         paths to copy, words; first start only
#   SOURCES          files and folders of the host that the stack mounts
#   FOLDERS          those of them that are created where the host lacks them
#   HOST_SOCKETS     sockets of the host, out of reach in the box
#   ENGINE_ROOT      data root of the host's engine, empty in the box
#   MEMINFO          the text of /proc/meminfo in the stack's containers
#   BRIDGE, POOL     addresses of the engine's networks
#   KEEP_DISKS       not empty when the stack asks for a disk of the host
#   SOCKET_GROUP     group of the socket for the outside
#   ENGINE_OPTIONS   more options of dockerd, words
#   THP_FLAGS        not empty where the engine and all that it starts shall not have this machine's
#                    huge pages: argument of THP_SCRIPT, which PYTHON runs; THP_STAYS says that
#                    it could not be done
# Standard input is the tether: its first line says that the socket was taken, a second one or its
# end stops the engine and so the box; when the onegig that started the box dies, the box dies with it.
set -eu
: "${SOURCES?}" "${FOLDERS?}" "${HOST_SOCKETS?}" "${ENGINE_ROOT:?}" "${MEMINFO?}" "${BRIDGE:?}" "${POOL:?}"
: "${KEEP_DISKS?}"

own=/.onegig
new=/new
layers=0
large_blocks=2048 # of 512 bytes: larger files are not copied

# Mount an overlay over $1 at $2. The folder is staged under a plain name, because colons and commas
# mean something in mount options.
overlay() {
    layers=$((layers + 1))
    layer=/box/layers/$layers
    mkdir -p "$layer/lower" "$layer/upper" "$layer/work" "$2" &&
        chown "$(stat -c %u:%g "$1")" "$layer/upper" &&
        chmod "$(stat -c %a "$1")" "$layer/upper" && # an overlay's root has these of its upper folder
        mount --bind "$1" "$layer/lower" &&
        mount -t overlay overlay \
            -o "lowerdir=$layer/lower,upperdir=$layer/upper,workdir=$layer/work" "$2" 2>/dev/null
}

# Mount the host's $1 at the same place of the box, read-only.
mount_read_only() {
    mount --bind "/host$1" "$new$1"
    mount -o remount,bind,ro "$new$1"
    check_read_only "$new$1"
    remark "$1 is read-only in the box."
}

# Show the host's file or folder $1 at the same place of the box.
attach() {
    if [ -d "/host$1" ]; then
        overlay "/host$1" "$new$1" || mount_read_only "$1"
        umount "$layer/lower" 2>/dev/null || :
    elif [ -f "/host$1" ]; then
        mkdir -p "$new${1%/*}"
        if [ -n "$(find "/host$1" -prune -size "-$large_blocks")" ]; then
            cp -p "/host$1" "$new$1"
        else
            : >>"$new$1"
            mount_read_only "$1"
        fi
    fi
}

# Succeed when the stack can see the mount at $1 of type $2: it holds a source or lies in one.
# What lies in a source is left out where it holds no files of the user's.
is_needed() {
    while IFS= read -r source; do
        [ -n "$source" ] || continue
        source=${source%/}
        case $source/ in
        "$1"/*) return 0 ;;
        esac
        case $1:$2 in
        "$ENGINE_ROOT"[:/]* | /var/lib/docker[:/]* | *:overlay | *:nsfs) ;;
        "$source"/*) return 0 ;;
        esac
    done </box/needed
    return 1
}

make_read_only /host

printf '%s\n' "$SOURCES" >/box/sources
printf '%s\n' "$SOURCES" /usr /etc /tmp >/box/needed
rm -rf /box/layers
mkdir -p /box/bin /box/data /box/old
if overlay /host "$new"; then
    umount "$layer/lower"
else
    umount "$layer/lower"
    remark "The host's root is not a file system for overlays: its folders are attached one by one."
    mkdir -p /box/layers/root
    mount --bind /box/layers/root "$new"
    for entry in /host/* /host/.[!.]*; do
        name=${entry#/host}
        case $name in /proc | /sys | /dev | /run) continue ;; esac
        if [ -L "$entry" ]; then
            cp -P "$entry" "$new$name"
        else
            attach "$name"
        fi
    done
fi
mountpoint -q /sys/kernel/security || # AppArmor's profiles are loaded through it, where it is
    mount -t securityfs securityfs /sys/kernel/security 2>/dev/null || :
protect_kernel
[ -n "$KEEP_DISKS" ] || hide_disks

mkdir -p "$new/proc" "$new/sys" "$new/dev" "$new/run" "$new$own"
mount --rbind /proc "$new/proc"
mount --rbind /sys "$new/sys"
mount --rbind /dev "$new/dev"
mount -t tmpfs -o mode=755 tmpfs "$new/run"
mount --rbind /box "$new$own"

# An overlay does not reach across mounts: those that the stack can see are attached as well. Lists
# are files, as a pipe's loop would run in a process of its own and forget the number of layers.
while read -r _ _ _ _ point rest; do
    type=${rest#* - }
    case $point in
    /host/proc | /host/proc/* | /host/sys | /host/sys/* | /host/dev | /host/dev/* | /host/run) ;;
    /host/*) printf '%s %s\n' "${point#/host}" "${type%% *}" ;;
    esac
done </proc/self/mountinfo | LC_ALL=C sort -u >/box/mounts
while read -r point type; do
    point=$(plain_path "$point")
    point=${point%.}
    if is_needed "$point" "$type"; then attach "$point"; fi
done </box/mounts

# The box's /run is fresh: what the stack mounts from below the host's is attached.
while IFS= read -r source; do
    case $source in
    /run/docker | /run/docker/* | /run/containerd | /run/containerd/*) ;;
    /run/?*) [ -e "$new$source" ] || attach "$source" ;;
    esac
done </box/sources

dns=$(sed -n 's/^nameserver \([0-9.]*\)$/--dns \1/p' /etc/resolv.conf)

cd "$new"
pivot_root . ".$own/old"
cd /
umount -l "$own/old"
mount --make-rshared / # as systemd does: mounts with `rslave` or `rshared` need it

[ -L /var/run ] || mount --rbind /run /var/run || :
[ ! -L /var/lib/docker ] || rm -f /var/lib/docker || :
mkdir -p /var/lib/docker 2>/dev/null || :
if [ "$ENGINE_ROOT" != /var/lib/docker ] && [ -d "$ENGINE_ROOT" ]; then
    mount -t tmpfs -o ro tmpfs "$ENGINE_ROOT"
fi
mount --bind "$own/data" /var/lib/docker

# A socket could be connected through the overlay, too.
printf '%s\n' "$HOST_SOCKETS" >"$own/sockets"
while IFS= read -r socket; do
    [ ! -S "$socket" ] || rm -f "$socket" || :
done <"$own/sockets"

printf '%s\n' "$FOLDERS" >"$own/folders"
while IFS= read -r folder; do
    [ -z "$folder" ] || [ -e "$folder" ] || mkdir -p "$folder" || :
done <"$own/folders"

printf '%s' "$MEMINFO" >"$own/meminfo"

if [ -f /sys/fs/cgroup/cgroup.controllers ]; then # cgroup v2: processes only in leaves
    mkdir -p /sys/fs/cgroup/engine
    while read -r pid; do
        echo "$pid" >/sys/fs/cgroup/engine/cgroup.procs 2>/dev/null || :
    done </sys/fs/cgroup/cgroup.procs
    sed -e 's/ / +/g' -e 's/^/+/' </sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
fi

for program in ${PROGRAMS:-}; do
    cp -L "$program" "$own/bin/"
done

# As in Docker's systemd unit: short of memory, the kernel kills a service and not the engine. Where
# the capability for it (SYS_RESOURCE) is missing, onegig raises the scores of the services instead.
echo -500 2>/dev/null >/proc/self/oom_score_adj || :

PATH=$own/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
# Become the command, with the huge pages of the simulated machine.
launch() {
    if [ -n "${THP_FLAGS:-}" ]; then
        [ ! -x "$PYTHON" ] || exec "$PYTHON" -I -S -c "$THP_SCRIPT" "$THP_FLAGS" "$@"
        remark "$THP_STAYS"
    fi
    exec "$@"
}

# Start the engine in the background and wait until it has its network; 1 when it ended instead.
start_engine() {
    # shellcheck disable=SC2086 # $dns and $ENGINE_OPTIONS are lists of words
    launch dockerd --config-file /dev/null --data-root /var/lib/docker --exec-root /run/docker \
        ${ENGINE_OPTIONS:-} --pidfile /run/dockerd.pid --host unix://$own/sock/docker.sock --host unix:///run/docker.sock \
        --group "${SOCKET_GROUP:-0}" --bip "$BRIDGE" --default-address-pool "base=$POOL,size=24" $dns \
        --exec-opt native.cgroupdriver=cgroupfs --log-level warn </dev/null &
    engine=$!
    until [ -e /sys/class/net/docker0 ]; do
        kill -0 "$engine" 2>/dev/null || return 1
        sleep 0.1
    done
}

# dockerd gives containerd 15 seconds, too few for a busy machine that reads it for the first time.
# The next attempt finds it in memory.
start_engine || start_engine || start_engine || exit 1
if read -r _; then
    umount -l "$own/sock" || remark "The folder of the engine's socket stays in reach of the stack."
    read -r _ || :
fi
kill "$engine" 2>/dev/null || :
wait "$engine" || :

# Hand back the page cache of everything that was taken in: the box itself must read its own.
sync
if [ -w /sys/fs/cgroup/memory/memory.force_empty ]; then
    echo 0 >/sys/fs/cgroup/memory/memory.force_empty || :
elif [ -w /sys/fs/cgroup/memory.reclaim ]; then
    cat /sys/fs/cgroup/memory.current >/sys/fs/cgroup/memory.reclaim 2>/dev/null || :
fi
