#!/usr/bin/env bash
# The disk of a virtual machine with OpenZFS: Debian trixie, its kernel, and the ZFS module built for that kernel here,
# natively. What a build made before is replaced only by one that is whole.
set -euo pipefail

readonly SUITE=trixie
readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
readonly TOOLS=(mmdebstrap genext2fs qemu-system-x86_64)
readonly TOOL_PACKAGES=(mmdebstrap genext2fs qemu-system-x86)
# python3 is there for the libraries that the Python of the checkout is linked against
readonly PACKAGES=linux-image-amd64,linux-headers-amd64,zfs-dkms,zfsutils-linux,iproute2,python3,openssh-server,systemd-sysv,udev
readonly INSTALL_S=600 BUILD_S=2700

if [ $# -ne 1 ]; then
    cat >&2 <<'USAGE'
usage: build.sh FOLDER   such as build.sh .tools/zfs-guest

  DEBIAN_MIRROR   mirror of Debian with contrib; else the one that apt on this machine uses

Exit codes: 0 FOLDER holds disk, vmlinuz and initrd; 2 not such a machine, or wrong arguments; 3 packages can't be had.
USAGE
    exit 2
fi

fail() {
    echo "zfs guest: $2" >&2
    exit "$1"
}

folder=$1
[ "$(uname -m)" = x86_64 ] || fail 2 "$(uname -m) is no x86_64"
# shellcheck source=/dev/null
codename=$(. /etc/os-release 2>/dev/null && echo "${ID:-}/${VERSION_CODENAME:-}")
case $codename in
debian/bookworm | debian/trixie) codename=${codename#debian/} ;;
*) fail 2 "$codename is no Debian bookworm or trixie" ;;
esac

if [ "$(command -v "${TOOLS[@]}" | wc -l)" -lt ${#TOOLS[@]} ]; then
    [ "$(id -u)" = 0 ] || fail 2 "needs ${TOOL_PACKAGES[*]}; as root: apt-get install ${TOOL_PACKAGES[*]}"
    echo "zfs guest: installing ${TOOL_PACKAGES[*]}"
    export DEBIAN_FRONTEND=noninteractive
    { timeout "$INSTALL_S" apt-get -qq update &&
        timeout "$INSTALL_S" apt-get -qq -y install --no-install-recommends "${TOOL_PACKAGES[@]}"; } </dev/null >/dev/null ||
        fail 3 "${TOOL_PACKAGES[*]} can't be installed"
fi
# shellcheck disable=SC2016 # apt fills these in
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
    awk -v suite="$codename" '$1 == suite { print $2; exit }')}
[ -n "$mirror" ] || fail 3 "apt on this machine names no mirror of $codename; set DEBIAN_MIRROR"

mkdir -p "$folder"
scratch=$(mktemp -d "$folder/build.XXXXXX")
trap 'rm -rf "$scratch"' EXIT
cat >"$scratch/init" <<'INIT'
#!/bin/sh
# Shows the checkout of the host where the host has it; what is done then is said there.
mount -t tmpfs tmpfs /tmp
mkdir -p "$EMILY_CHECKOUT"
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro checkout "$EMILY_CHECKOUT"
exec "$EMILY_CHECKOUT/infra/zfs/init"
INIT
chmod 755 "$scratch/init"

echo "zfs guest: building Debian $SUITE with OpenZFS into $folder, once (some ten minutes on two cores)"
timeout "$BUILD_S" nice mmdebstrap --quiet --variant=minbase --components=main,contrib --keyring="$KEYRING" \
    --include="$PACKAGES" \
    --customize-hook="upload '$scratch/init' /init" \
    --customize-hook="chmod 755 \"\$1/init\"" \
    --customize-hook="chroot \"\$1\" sh -c 'modinfo -F version -k \$(ls /lib/modules) zfs' >&2" \
    --customize-hook="download /vmlinuz '$scratch/vmlinuz'" \
    --customize-hook="download /initrd.img '$scratch/initrd'" \
    --format=ext2 "$SUITE" "$scratch/disk" "$mirror" </dev/null || fail 3 "the disk can't be built; see above"
mv "$scratch/disk" "$scratch/vmlinuz" "$scratch/initrd" "$folder/"
