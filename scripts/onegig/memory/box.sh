# shellcheck shell=sh
# Entry of the box: a fresh Docker Engine from the host's own programs, alone in its container.
#
# The container sees the host's root read-only at /host and has a volume at /host/mnt. It makes the
# host's root its own (by pivot_root: after a mere chroot, `docker exec` and health checks inside
# the box would enter the wrong root). From then on:
#   /mnt/bin    copies of the engine's programs: their pages are the box's own, charged to it and
#               not shared with the host's engine, as on a machine with one engine
#   /mnt/data   the nested engine's data root
#   /mnt/sock   the socket's folder, bound from outside
#
# Environment: PROGRAMS (paths to copy, first start only), SOCKET_GROUP, PROJECT (folder the stack
# lives in). Standard input is the tether: a line or its end stops the engine and so the box; when
# the onegig that started the box dies, the box dies with it.
set -eu

mount --rbind /proc /host/proc
mount --rbind /sys /host/sys
mount --rbind /dev /host/dev
mount -t tmpfs tmpfs /host/run
mount -t tmpfs tmpfs /host/tmp
mkdir -p /host/mnt/bin /host/mnt/data /host/mnt/upper /host/mnt/overlay /host/mnt/project /host/mnt/old
mount --bind /project /host/mnt/project
dns=$(sed -n 's/^nameserver \([0-9.]*\)$/--dns \1/p' /etc/resolv.conf)

cd /host
pivot_root . mnt/old
cd /
umount -l /mnt/old

mountpoint -q /sys/kernel/security || # AppArmor's profiles are loaded through it, where it is
    mount -t securityfs securityfs /sys/kernel/security 2>/dev/null || :

# The project's folder, writable, with every change going to the volume and none to the host.
if [ -n "${PROJECT:-}" ]; then
    mkdir -p "$PROJECT" 2>/dev/null || :
    mount -t overlay overlay \
        -o lowerdir=/mnt/project,upperdir=/mnt/upper,workdir=/mnt/overlay "$PROJECT"
fi

if [ -f /sys/fs/cgroup/cgroup.controllers ]; then # cgroup v2: processes only in leaves
    mkdir -p /sys/fs/cgroup/engine
    while read -r pid; do
        echo "$pid" >/sys/fs/cgroup/engine/cgroup.procs 2>/dev/null || :
    done </sys/fs/cgroup/cgroup.procs
    sed -e 's/ / +/g' -e 's/^/+/' </sys/fs/cgroup/cgroup.controllers >/sys/fs/cgroup/cgroup.subtree_control
fi

for program in ${PROGRAMS:-}; do
    cp -L "$program" /mnt/bin/
done

PATH=/mnt/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
# shellcheck disable=SC2086 # $dns is a list of words
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
