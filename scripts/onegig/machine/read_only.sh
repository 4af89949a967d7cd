# shellcheck shell=sh
# Functions for the entries of the box, of either kind: keep the host's files from being written.
# Prepended to their scripts.

# Print a remark for onegig's report.
remark() {
    echo "onegig: $*" >&2
}

# Exit with a message for the user.
refuse() {
    echo "onegig refuses: $*" >&2
    exit 1
}

# Print a path of /proc/self/mountinfo as it is, where blanks and backslashes are octal, and a dot:
# without it the shell would take line feeds from its end.
plain_path() {
    # shellcheck disable=SC2059 # a format, for the sake of the octal escapes in it
    printf "$(printf '%s' "$1" | sed 's/%/%%/g')."
}

# List the mounts below $1, and $1 itself, that may be written: point and options a line. The host's
# /proc, /sys and /dev are left out, as the box shows its own.
writable_mounts() {
    while read -r _ _ _ _ point options _; do
        case $options in rw*) ;; *) continue ;; esac
        case ${point#"$1"} in
        /proc | /proc/* | /sys | /sys/* | /dev | /dev/*) ;;
        '' | /*) [ "${point#"$1"}" = "$point" ] || printf '%s %s\n' "$point" "$options" ;;
        esac
    done </proc/self/mountinfo
}

# Make all mounts below $1 read-only and keep later ones of the host out; $1 holds no blanks.
# `docker run --volume FOLDER:FOLDER:ro` is no help: only with API 1.44 and Linux 5.12 or newer does
# it reach the file systems that are mounted below the folder.
make_read_only() {
    mount --make-rprivate /
    mounts=$(writable_mounts "$1")
    while read -r point options; do
        [ -n "$point" ] || continue
        point=$(plain_path "$point")
        # the other flags again: a user namespace may not drop them, and busybox would
        mount -o "remount,bind,ro${options#rw}" "${point%.}" 2>/dev/null || :
    done <<EOF
$mounts
EOF
    mounts=$(writable_mounts "$1")
    while read -r point _; do
        [ -n "$point" ] || continue
        point=$(plain_path "$point")
        check_read_only "${point%.}"
    done <<EOF
$mounts
EOF
}

# Refuse to go on when $1 can be written. A mount that is hidden by a later one can't be reached.
check_read_only() {
    if can_write "$1"; then refuse "${1#/host} of this machine could be written from the box."; fi
}

# Succeed when the folder or file $1 can be written, changing nothing. (`[ -w` of busybox only asks
# who is root.)
can_write() {
    if [ -d "$1" ]; then
        case $(LC_ALL=C rmdir "$1/.onegig-$$" 2>&1) in *'Read-only file system'*) false ;; esac
    else
        [ -f "$1" ] && (: >>"$1") 2>/dev/null
    fi
}

# Make what reaches the kernel of this machine read-only in /proc and /sys: without it, any service
# that mounts /proc could choose the program which the kernel runs at a crash. The network's part is
# the box's own, and an engine writes there. Privileged services mount a /proc of their own.
protect_kernel() {
    if mount --bind /proc/sys /proc/sys && mount --bind /proc/sys/net /proc/sys/net; then
        lock /proc/sys
    fi
    for path in /proc/acpi /proc/bus /proc/fs /proc/irq /proc/mtrr /proc/scsi /proc/sysrq-trigger; do
        if [ -e "$path" ] && mount --bind "$path" "$path"; then lock "$path"; fi
    done
    if mount --bind /sys/devices/virtual/net /sys/devices/virtual/net; then
        lock /sys
    fi
} 2>/dev/null

# Make the mount at $1 read-only, not those below it.
lock() {
    mount -o remount,bind,ro "$1" || remark "$1 of this machine can be written from the box."
}

# Take disks and the machine's memory out of /dev, and under cgroup v1 out of what may be opened at
# all, so that a privileged service can't write a disk of this machine raw. The right to create such
# files (m) stays: every container that Docker starts has it, and can't have more than the box.
hide_disks() {
    rm -f /dev/mem /dev/kmem /dev/port
    find /dev -type b -exec rm -f {} +
    for rule in 'b *:*' 'c 1:1' 'c 1:2' 'c 1:4'; do
        echo "$rule rw" >/sys/fs/cgroup/devices/devices.deny || :
    done
} 2>/dev/null
