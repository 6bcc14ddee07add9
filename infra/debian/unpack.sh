#!/usr/bin/env bash
# Programs of Debian trixie on a machine that is pure bookworm, or trixie: fetched and verified by an apt with a
# state of its own, unpacked, and put into a folder. Nothing is installed, and nobody has to be root.
set -euo pipefail

readonly SUITE=trixie
readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
readonly FETCH_S=300
readonly APT_OPTIONS=(-qq -y -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 -o Acquire::Retries=2)

if [ $# -lt 2 ]; then
    cat >&2 <<'USAGE'
usage: unpack.sh FOLDER PACKAGE:PATH...   such as unpack.sh .tools/bin restic:usr/bin/restic

  DEBIAN_MIRROR   mirror of Debian; else the one that apt on this machine uses

Exit codes: 0 all are in FOLDER; 2 not Debian, or wrong arguments; 3 they can't be had.
USAGE
    exit 2
fi

fail() {
    echo "unpack: $2" >&2
    exit "$1"
}

folder=$1
shift
# shellcheck source=/dev/null
codename=$(. /etc/os-release 2>/dev/null && echo "${ID:-}/${VERSION_CODENAME:-}")
case $codename in
debian/bookworm | debian/trixie) codename=${codename#debian/} ;;
*) fail 2 "$codename is no Debian bookworm or trixie" ;;
esac

scratch=$(mktemp -d /var/tmp/emily-unpack.XXXXXX)
trap 'rm -rf "$scratch"' EXIT
# shellcheck disable=SC2016 # apt fills these in
mirror=${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
    awk -v suite="$codename" '$1 == suite { print $2; exit }')}
[ -n "$mirror" ] || fail 3 "apt on this machine names no mirror of $codename; set DEBIAN_MIRROR"

mkdir -p "$scratch/state/lists/partial" "$scratch/cache/archives/partial" "$scratch/deb" "$folder"
touch "$scratch/state/status"
echo "deb [signed-by=$KEYRING] $mirror $SUITE main" >"$scratch/sources.list"
if [ "$(id -u)" = 0 ]; then # apt fetches as the user _apt then
    chmod 711 "$scratch"
    chown -R _apt "$scratch/state/lists/partial" "$scratch/cache" "$scratch/deb"
fi
apt=(-o "Dir::State=$scratch/state" -o "Dir::State::status=$scratch/state/status"
    -o "Dir::Cache=$scratch/cache" -o "Dir::Etc::SourceList=$scratch/sources.list"
    -o Dir::Etc::SourceParts=/dev/null -o Acquire::Languages=none)
(
    cd "$scratch/deb"
    timeout "$FETCH_S" apt-get "${APT_OPTIONS[@]}" "${apt[@]}" update </dev/null &&
        timeout "$FETCH_S" apt-get "${APT_OPTIONS[@]}" "${apt[@]}" download "${@%%:*}" </dev/null
) || fail 3 "${*%%:*} can't be fetched from $SUITE; set DEBIAN_MIRROR to a mirror that holds it"
for deb in "$scratch"/deb/*.deb; do
    dpkg-deb --extract "$deb" "$scratch/unpacked"
done
for each in "$@"; do
    install -m 755 "$scratch/unpacked/${each#*:}" "$folder/$(basename "${each#*:}")"
done
