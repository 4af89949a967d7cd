# shellcheck shell=sh
# Makes the data disk of the twin: run as root in the host's root, in a container, where the volume
# that the box's engine has loaded the images into is WORK. The layout stands in guest.sh.
#
# Environment, lists with an entry a line:
#   WORK         the volume; gets data.img
#   SHARE        the folder with our own files
#   SOURCES      files and folders of the host that the stack mounts
#   DISK_BYTES   size of the disk
#   MOST_KIB     of what is copied from the host, in all
#   PODMAN       folder with Podman's programs, if its storage is what the images belong into
#   IMAGES       folder with the images then: archives of `docker save`, and `tags`, which has the
#                name of an archive and of its image a line, where the archive does not have it
set -eu
: "${WORK:?}" "${SHARE:?}" "${SOURCES?}" "${DISK_BYTES:?}" "${MOST_KIB:?}"

stage=$WORK/stage
data=$WORK/data
[ -z "${PODMAN:-}" ] || data=$WORK/containers
mkdir -p "$data" "$stage/data" "$stage/bin" "$stage/lib" "$stage/files"
mount --bind "$data" "$stage/data"
[ -n "${PODMAN:-}" ] || cp "$WORK"/bin/* "$stage/bin/"
cp "$SHARE"/* "$stage/"
: >"$stage/sources"

remark() { echo "onegig: $*" >&2; }

# The C library and its loader are the guest's: one process can't have two.
for program in "$stage"/bin/*; do
    ldd "$program" 2>/dev/null | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p'
done | sort -u | while read -r library; do
    case ${library##*/} in
    libc.so.* | libm.so.* | libpthread.so.* | libdl.so.* | libresolv.so.* | librt.so.*) ;;
    *) cp -L "$library" "$stage/lib/" ;;
    esac
done

# Succeed when the guest has such a place of its own, which the stack means.
is_machines_own() {
    case $1 in
    / | /proc | /proc/* | /sys | /sys/* | /dev | /dev/* | /run | /run/* | /var/run | /var/run/*) ;;
    /boot | /boot/* | /lib/modules | /usr/lib/modules | /usr | /etc | /var | /var/log | /var/lib | /tmp) ;;
    /var/lib/docker | /var/lib/docker/* | /var/lib/containers | /var/lib/containers/* | /etc/machine-id) ;;
    /etc/ssl | /etc/ssl/* | /etc/passwd | /etc/group | /etc/os-release | /etc/hostname | /etc/hosts) ;;
    *) return 1 ;;
    esac
}

# Take the images into Podman's storage, by the guest's own Podman.
fill_podman() {
    root=$WORK/podman
    storage=$root/var/lib/containers/storage
    cp -r "$PODMAN" "$root"
    mount --bind "$root" "$root" # layers are unpacked in a root of their own, which must be a mount
    mkdir -p "$storage" "$root/proc" "$root/dev" "$root/run" "$root/tmp" "$root/var/tmp" "$root/images"
    mount -t tmpfs tmpfs "$root/dev"
    mkdir "$root/dev/shm"
    for device in null zero random urandom; do cp -a "/dev/$device" "$root/dev/"; done
    mount --bind "$data" "$storage"
    mount --bind "$IMAGES" "$root/images"
    mount -t proc proc "$root/proc"
    for archive in "$IMAGES"/*.tar; do
        [ -e "$archive" ] || continue
        name=${archive##*/}
        loaded=$(podman load --quiet --input "/images/$name")
        tag=$(sed -n "s/^$name //p" "$IMAGES/tags")
        [ -z "$tag" ] || podman tag "${loaded##*: }" "$tag"
    done
}

podman() {
    env -i PATH=/usr/sbin:/usr/bin HOME=/tmp PODMAN_IGNORE_CGROUPSV1_WARNING=1 chroot "$root" \
        podman --cgroup-manager cgroupfs --events-backend none "$@"
}

[ -z "${PODMAN:-}" ] || fill_podman

left=$MOST_KIB
# Succeed when the host's $1 lies in a folder that is on the disk.
is_copied() {
    while IFS= read -r folder; do
        case $1/ in "$folder"/*) return ;; esac
    done <"$WORK/copied"
    return 1
}

: >"$WORK/copied"
# Put the host's $1 on the disk, a folder of it once: what lies in a folder comes with that.
add_source() {
    ! is_copied "$1" || return 0
    size=$(du -sxk "$1" 2>/dev/null | cut -f1)
    if [ ! -e "$1" ]; then
        echo "e $1" >>"$stage/sources"
    elif [ "${size:-0}" -gt "$left" ]; then
        remark "$1 is empty in the twin: what the stack mounts may take $((MOST_KIB / 1024)) MB in all."
        if [ -d "$1" ]; then echo "e $1" >>"$stage/sources"; fi
    elif [ -d "$1" ]; then
        left=$((left - size))
        mkdir -p "$stage/files$1"
        mount --bind "$1" "$stage/files$1"
        echo "d $1" >>"$stage/sources"
        printf '%s\n' "$1" >>"$WORK/copied"
    elif [ -f "$1" ]; then
        left=$((left - size))
        mkdir -p "$stage/files${1%/*}"
        cp -p "$1" "$stage/files$1"
        echo "f $1" >>"$stage/sources"
    fi
}

printf '%s\n' "$SOURCES" | LC_ALL=C sort -u >"$WORK/wanted"
while IFS= read -r source; do
    [ -n "$source" ] || continue
    source=${source%/}
    if is_machines_own "${source:-/}"; then
        case $source in /proc* | /sys* | /dev* | /run* | /var/run*) ;; # as it is meant
        *) remark "${source:-/} is the twin's own." ;; esac
        continue
    fi
    real=$(readlink -f "$source" || printf '%s' "$source")
    add_source "$real"
    [ "$real" = "$source" ] || printf 'l %s\t%s\n' "$source" "$real" >>"$stage/sources"
done <"$WORK/wanted"

# Make the disk's file system, with options of mke2fs.
make_disk() {
    rm -f "$WORK/data.img"
    truncate -s "$DISK_BYTES" "$WORK/data.img"
    mke2fs -q -t ext4 -m 0 -L onegig "$@" -d "$stage" "$WORK/data.img"
}
# Since mke2fs 1.47: no zeroes for what is a hole already, and no feature that old kernels lack.
make_disk -O ^orphan_file -E lazy_itable_init=1,assume_storage_prezeroed=1 2>/dev/null || make_disk
