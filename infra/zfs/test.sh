#!/usr/bin/env bash
# Boots the virtual machine that build.sh made, runs tests of this checkout in it, and ends with what they came to.
# The disk is never changed, so each run begins like the first.
set -euo pipefail

readonly DEADLINE_S=${EMILY_ZFS_DEADLINE_S:-2400}
readonly HELLO_S=8 MEMORY=3G

if [ $# -lt 2 ]; then
    cat >&2 <<'USAGE'
usage: test.sh FOLDER WORD...   such as test.sh .tools/zfs-guest services/zfs-agent/tests; the words are pytest's

  EMILY_ZFS_DEADLINE_S   until the machine must have powered off; 2400, for a host without KVM

FOLDER/last holds console.log, junit.xml and tests.log of the last run. Exit codes: pytest's; 70 no result came.
USAGE
    exit 70
fi

folder=$(realpath "$1")
shift
checkout=$(realpath "$(dirname "$0")/../..")
python=$(dirname "$(dirname "$(readlink -f "$checkout/.venv/bin/python")")")
last=$folder/last
rm -rf "$last"
mkdir -p "$last"
printf '%s\0' "$@" >"$last/words"

shares=(-virtfs "local,path=$checkout,mount_tag=checkout,security_model=none,readonly=on"
    -virtfs "local,path=$last,mount_tag=results,security_model=none")
case $python in
/usr) python= ;; # that of Debian trixie is in the guest
*) shares+=(-virtfs "local,path=$python,mount_tag=python,security_model=none,readonly=on") ;;
esac
machine=(qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot -smp 2 -m "$MEMORY"
    -kernel "$folder/vmlinuz")
accelerated=(-accel kvm -cpu "host,arch-capabilities=off") # a nested machine may not be told those
# A /dev/kvm need not be able to run a kernel. One without a disk says hello, and ends as it finds nothing to boot.
if ! [ -w /dev/kvm ] || ! timeout --foreground "$HELLO_S" "${machine[@]}" "${accelerated[@]}" \
    -append "console=ttyS0 panic=-1" -serial stdio </dev/null 2>/dev/null | grep -q "Linux version"; then
    accelerated=(-accel tcg,thread=multi -cpu max)
    echo "zfs guest: KVM can't be used here, so this takes some times as long" >&2
fi
parameters=(root=/dev/vda rw init=/init console=ttyS0 panic=-1 mitigations=off
    "EMILY_CHECKOUT=$checkout" "EMILY_PYTHON=$python")
timeout --foreground --kill-after=10 "$DEADLINE_S" "${machine[@]}" "${accelerated[@]}" -snapshot \
    -initrd "$folder/initrd" -drive "file=$folder/disk,format=raw,if=virtio" -append "${parameters[*]}" \
    "${shares[@]}" -serial "file:$last/console.log" -serial stdio </dev/null | tee "$last/tests.log" || true
if [ ! -s "$last/exit" ]; then
    echo "zfs guest: it told no result within $DEADLINE_S s; see $last/console.log" >&2
    exit 70
fi
exit "$(cat "$last/exit")"
