# shellcheck shell=sh
# Builds the guest of the twin from Debian's packages: run as root in the host's root, in a container.
#
# Environment:
#   MIRROR, SUITE   where the packages come from; apt checks their signatures
#   WORK            a scratch folder, on a disk
#   OUT             the folder that gets root.img, vmlinuz, initrd.img, agent and podman/
#   SHARE           the folder with our own files: onegig.service, agent/
#   OWNER           who owns OUT's files, UID:GID
set -eu
: "${MIRROR:?}" "${SUITE:?}" "${WORK:?}" "${OUT:?}" "${SHARE:?}" "${OWNER:?}"

# Whatever fails: the owner can remove the folder.
trap 'chown -R "$OWNER" "$OUT"' EXIT

root=$WORK/root
export TMPDIR="$WORK" LC_ALL=C

# Only the drivers that the twin boots from: a small initrd is unpacked in a tenth of the time where
# the processor is emulated. Nothing of it stays in memory.
cat >"$WORK/modules.sh" <<'END'
set -eu
mkdir -p "$1/etc/initramfs-tools/conf.d"
printf 'MODULES=list\nCOMPRESS=lz4\n' >"$1/etc/initramfs-tools/conf.d/onegig"
printf '%s\n' virtio_pci virtio_blk ext4 crc32c_generic >>"$1/etc/initramfs-tools/modules"
chroot "$1" update-initramfs -u
cp -r "$SHARE/agent" "$1/tmp/agent"
chroot "$1" sh /tmp/agent/compile.sh /tmp/agent /tmp/onegig-agent
mv "$1/tmp/onegig-agent" "$OUT/agent"
rm -rf "$1/tmp/agent"
END

packages=systemd-sysv,udev,dbus,iptables,kmod,iproute2,ca-certificates,initramfs-tools,lz4
packages=$packages,podman,conmon,crun,runc,netavark,aardvark-dns,nftables,catatonit
mmdebstrap --mode=root --format=directory --variant=minbase --skip=output/dev \
    --include="$packages,linux-image-cloud-amd64" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/man/*' \
    --customize-hook="sh $WORK/modules.sh \"\$1\"" "$SUITE" "$root" "$MIRROR"

cp "$root"/boot/vmlinuz-* "$OUT/vmlinuz"
cp "$root"/boot/initrd.img-* "$OUT/initrd.img"

echo twin >"$root/etc/hostname"
printf '127.0.0.1 localhost twin\n' >"$root/etc/hosts"
echo '/dev/vda / ext4 defaults 0 1' >"$root/etc/fstab"
rm -f "$root/etc/resolv.conf"
echo 'nameserver 192.0.2.3' >"$root/etc/resolv.conf"
printf '[Match]\nName=eth0\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=no\n' \
    >"$root/etc/systemd/network/eth0.network"
cp "$SHARE/onegig.service" "$root/etc/systemd/system/"
systemctl --quiet --root="$root" enable systemd-networkd.service onegig.service
# Nothing may begin to work while the stack is measured.
systemctl --quiet --root="$root" mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
    systemd-networkd-wait-online.service podman-auto-update.timer
# Podman begins to work when it is asked for alone.
systemctl --quiet --root="$root" disable podman.socket podman.service podman-restart.service \
    podman-clean-transient.service netavark-dhcp-proxy.socket netavark-dhcp-proxy.service \
    netavark-firewalld-reload.service
mkdir -p "$root/etc/systemd/system-generators"
ln -s /dev/null "$root/etc/systemd/system-generators/podman-system-generator"

# The part of it that fills its storage with images on this host, see data.sh.
copy_podman() {
    for program in /usr/bin/podman /usr/bin/conmon /usr/bin/crun /usr/lib/podman/netavark; do
        printf '%s\n' "$program"
        chroot "$root" ldd "$program" | sed -n 's/^[^/]*\(\/[^ ]*\) .*/\1/p'
    done | sort -u | while read -r file; do
        mkdir -p "$OUT/podman${file%/*}"
        cp -L "$root$file" "$OUT/podman$file"
    done
    mkdir -p "$OUT/podman/etc" "$OUT/podman/usr/share"
    cp -r "$root/etc/containers" "$OUT/podman/etc/"
    cp -r "$root/usr/share/containers" "$OUT/podman/usr/share/"
}
copy_podman

rm -f "$OUT/root.img"
truncate -s 2G "$OUT/root.img"
mke2fs -q -t ext4 -L root -d "$root" "$OUT/root.img"
