# Entry of the box: a fresh Docker Engine from the host's own programs, alone in its container.
#
# The container sees the host's root read-only at /host and has a volume at /host/mnt:
#   /host/mnt/bin    copies of the engine's programs: their pages are the box's own, charged to it
#                    and not shared with the host's engine, as on a machine with one engine
#   /host/mnt/data   the nested engine's data root
#   /host/mnt/sock   the socket's folder, bound from outside
#
# Environment: PROGRAMS (paths to copy, first start only), SOCKET_GROUP, PROJECT (folder the stack
# lives in). Standard input is the tether: a line or its end stops the engine and so the box; when
# the onegig that started the box dies, the box dies with it.
set -eu

mount --rbind /proc /host/proc
mount --rbind /sys /host/sys
mount --rbind /dev /host/dev
[ ! -d /host/sys/kernel/security ] || mountpoint -q /host/sys/kernel/security ||
    mount -t securityfs securityfs /host/sys/kernel/security 2>/dev/null || :

mkdir -p /host/mnt/bin /host/mnt/data /host/mnt/upper /host/mnt/overlay /host/mnt/project
mount --bind /project /host/mnt/project
mount -t tmpfs tmpfs /host/run
mount -t tmpfs tmpfs /host/tmp

# The project's folder, writable, with every change going to the volume and none to the host.
if [ -n "${PROJECT:-}" ]; then
    mkdir -p "/host$PROJECT" 2>/dev/null || :
    mount -t overlay overlay \
        -o lowerdir=/host/mnt/project,upperdir=/host/mnt/upper,workdir=/host/mnt/overlay "/host$PROJECT"
fi

if [ -f /sys/fs/cgroup/cgroup.controllers ]; then # cgroup v2: processes only in leaves
    mkdir -p /sys/fs/cgroup/engine
    while read -r pid; do
        echo "$pid" >/sys/fs/cgroup/engine/cgroup.procs 2>/dev/null || :
    done </sys/fs/cgroup/cgroup.procs
    sed -e 's/ / +/g' -e 's/^/+/' </sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
fi

for program in ${PROGRAMS:-}; do
    cp -L "/host$program" /host/mnt/bin/
done

dns=$(sed -n 's/^nameserver \([0-9.]*\)$/--dns \1/p' /etc/resolv.conf)
# shellcheck disable=SC2086 # $dns is a list of words
chroot /host /usr/bin/env "PATH=/mnt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
    dockerd --config-file /dev/null --data-root /mnt/data --exec-root /run/docker \
    --pidfile /run/dockerd.pid --host unix:///mnt/sock/docker.sock --group "${SOCKET_GROUP:-0}" \
    --bip 10.200.0.1/24 --default-address-pool base=10.201.0.0/16,size=24 $dns \
    --exec-opt native.cgroupdriver=cgroupfs --log-level warn </dev/null &
engine=$!
read -r _ || :
kill "$engine" 2>/dev/null || :
wait "$engine" || :

# Hand back the page cache of everything that was taken in: the box itself must read its own.
sync
if [ -w /sys/fs/cgroup/memory/memory.force_empty ]; then
    echo 0 >/sys/fs/cgroup/memory/memory.force_empty || :
elif [ -w /sys/fs/cgroup/memory.reclaim ]; then
    cat /sys/fs/cgroup/memory.current >/sys/fs/cgroup/memory.reclaim 2>/dev/null || :
fi
