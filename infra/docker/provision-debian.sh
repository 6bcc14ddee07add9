#!/usr/bin/env bash
# Brings a bare Debian machine to what Emily's images are built with: a running Docker engine, Compose v2,
# buildx, and the base image debian:trixie-slim. What is there already is left alone; run it as often as you like.
set -euo pipefail

readonly BASE=debian:trixie-slim
readonly SUITE=trixie
readonly PLUGINS=/usr/local/lib/docker/cli-plugins
readonly KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
readonly ENGINE_LOG=/var/log/dockerd.log
readonly ENGINE_START_S=60 INSTALL_S=900 PULL_S=120 DEBOOTSTRAP_S=900
readonly APT_OPTIONS=(-qq -y -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30 -o Acquire::Retries=2)

readonly WRONG_MACHINE=2 PACKAGES_FAILED=3 ENGINE_FAILED=4 BASE_FAILED=5

usage() {
    cat <<'USAGE'
usage: provision-debian.sh   as root, on Debian bookworm or trixie

  DEBIAN_MIRROR     mirror of Debian; else the one that apt on this machine uses
  SECURITY_MIRROR   mirror of Debian's security updates; else as above

Exit codes: 0 ready; 2 not such a machine, or not root; 3 packages can't be had;
4 the engine does not start; 5 the base image can neither be pulled nor made.
USAGE
}

main() {
    if [ $# -gt 0 ]; then
        usage
        [ "$1" = --help ] || exit "$WRONG_MACHINE"
        exit 0
    fi
    export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
    require_debian
    scratch=$(mktemp -d /var/tmp/emily-provision.XXXXXX)
    trap 'rm -rf "$scratch"' EXIT
    ensure_engine
    ensure_plugins
    ensure_base_image
    say "ready: engine $(docker version --format '{{.Server.Version}}')," \
        "compose $(docker compose version --short)," \
        "buildx $(docker buildx version | grep -o '[0-9][0-9.]*' | head -n 1), $BASE"
}

say() { echo "provision: $*"; }

fail() {
    local code=$1
    shift
    say "$*" >&2
    exit "$code"
}

require_debian() {
    [ -r /etc/os-release ] || fail "$WRONG_MACHINE" "this is no Debian; install Docker as your system does it"
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && echo "${ID:-}/${VERSION_CODENAME:-}")
    case $codename in
    debian/bookworm | debian/trixie) codename=${codename#debian/} ;;
    *) fail "$WRONG_MACHINE" "$codename is no Debian bookworm or trixie; install Docker as your system does it" ;;
    esac
    [ "$(id -u)" = 0 ] || fail "$WRONG_MACHINE" "run it as root: it installs packages and starts the engine"
}

ensure_engine() {
    if engine_answers; then
        say "an engine runs already"
        return
    fi
    if ! { command -v dockerd && command -v docker; } >/dev/null; then
        say "installing the engine"
        if [ "$codename" = trixie ]; then
            install docker.io docker-cli iptables ca-certificates
        else
            install docker.io iptables ca-certificates
        fi
    fi
    # The package may have started it by itself.
    engine_answers || start_engine
}

engine_answers() { timeout 10 docker version --format '{{.Server.Version}}' </dev/null >/dev/null 2>&1; }

start_engine() {
    local waited=0 engine=
    if [ -d /run/systemd/system ]; then
        say "starting the engine through systemd"
        timeout "$ENGINE_START_S" systemctl enable --now --quiet docker </dev/null || true
    elif ! pidof dockerd >/dev/null; then
        say "starting the engine in the background; it writes to $ENGINE_LOG"
        setsid dockerd >>"$ENGINE_LOG" 2>&1 </dev/null &
        engine=$!
    fi
    until engine_answers; do
        waited=$((waited + 1))
        if [ "$waited" -ge "$ENGINE_START_S" ] || { [ -n "$engine" ] && ! kill -0 "$engine" 2>/dev/null; }; then
            tail -n 3 "$ENGINE_LOG" >&2 2>/dev/null || true
            fail "$ENGINE_FAILED" "the engine does not start; read $ENGINE_LOG, or journalctl -u docker under systemd"
        fi
        sleep 1
    done
}

ensure_plugins() {
    local missing=()
    docker compose version >/dev/null 2>&1 || missing+=(docker-compose)
    docker buildx version >/dev/null 2>&1 || missing+=(docker-buildx)
    if [ ${#missing[@]} -eq 0 ]; then
        say "compose and buildx are there"
        return
    fi
    say "installing ${missing[*]}"
    if [ "$codename" = trixie ]; then
        install "${missing[@]}"
    else
        unpack_from_trixie "${missing[@]}"
    fi
    if ! { docker compose version && docker buildx version; } >/dev/null 2>&1; then
        fail "$PACKAGES_FAILED" "${missing[*]} came, yet docker does not find them; look into $PLUGINS"
    fi
}

# Bookworm's own compose is the old one; the binaries need nothing else of trixie.
unpack_from_trixie() {
    local plugin wanted=()
    for plugin in "$@"; do
        wanted+=("$plugin:usr/libexec/docker/cli-plugins/$plugin")
    done
    "$(dirname "$0")/../debian/unpack.sh" "$PLUGINS" "${wanted[@]}" || fail "$PACKAGES_FAILED" "$* can't be had from trixie"
}

ensure_base_image() {
    if docker image inspect "$BASE" >/dev/null 2>&1; then
        say "$BASE is there; docker image rm it to get a fresh one"
        return
    fi
    say "pulling $BASE"
    if timeout "$PULL_S" docker pull --quiet "$BASE" </dev/null >/dev/null 2>&1; then
        return
    fi
    say "no image registry answers: making $BASE by debootstrap"
    make_base_image || fail "$BASE_FAILED" "$BASE can't be made; set DEBIAN_MIRROR to a mirror that holds $SUITE"
}

make_base_image() {
    command -v debootstrap >/dev/null || install debootstrap debian-archive-keyring
    local root=$scratch/root mirror security
    mirror=$(mirror_of "$codename" "${DEBIAN_MIRROR:-}")
    security=$(mirror_of "$codename-security" "${SECURITY_MIRROR:-}")
    [ -n "$mirror" ] || return 1
    timeout "$DEBOOTSTRAP_S" debootstrap --variant=minbase --keyring="$KEYRING" \
        "$SUITE" "$root" "$mirror" </dev/null >"$scratch/debootstrap.log" 2>&1 || {
        tail -n 5 "$scratch/debootstrap.log" >&2
        return 1
    }
    {
        echo "deb [signed-by=$KEYRING] $mirror $SUITE main"
        echo "deb [signed-by=$KEYRING] $mirror $SUITE-updates main"
        [ -z "$security" ] || echo "deb [signed-by=$KEYRING] $security $SUITE-security main"
    } >"$root/etc/apt/sources.list"
    # What makes it slim, also for packages that come later: no manuals, no translations.
    cat >"$root/etc/dpkg/dpkg.cfg.d/slim" <<'SLIM'
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/man/*
SLIM
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
    chmod 755 "$root/usr/sbin/policy-rc.d"
    upgrade "$root" || return 1
    rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/var/log/* \
        "$root"/usr/share/{info,locale,man}/* "$root"/tmp/* "$root"/etc/{hostname,resolv.conf,machine-id}
    find "$root/usr/share/doc" -type f ! -name copyright -delete
    tar -C "$root" --numeric-owner -c . |
        docker import --change 'CMD ["bash"]' --message "debootstrap --variant=minbase $SUITE" - "$BASE" >/dev/null
}

# Security updates since the last point release.
upgrade() {
    local each
    for each in update dist-upgrade; do
        timeout "$INSTALL_S" chroot "$1" apt-get "${APT_OPTIONS[@]}" "$each" \
            </dev/null >>"$scratch/upgrade.log" 2>&1 || {
            tail -n 5 "$scratch/upgrade.log" >&2
            return 1
        }
    done
}

# Where apt gets a suite from: the second argument, when one is given, else what this machine is set to.
mirror_of() {
    if [ -n "$2" ]; then
        echo "$2"
    else
        # shellcheck disable=SC2016 # apt fills these in
        apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
            awk -v suite="$1" '$1 == suite { print $2; exit }'
    fi
}

install() {
    local done_for=$scratch/updated
    if [ ! -e "$done_for" ]; then
        # A foreign entry of the machine may be out of reach; what counts is that the packages come.
        timeout "$INSTALL_S" apt-get "${APT_OPTIONS[@]}" update </dev/null || say "apt-get update complains; going on"
        touch "$done_for"
    fi
    timeout "$INSTALL_S" apt-get "${APT_OPTIONS[@]}" install --no-install-recommends "$@" \
        </dev/null >"$scratch/install.log" 2>&1 || {
        tail -n 5 "$scratch/install.log" >&2
        fail "$PACKAGES_FAILED" "apt-get can't install $*; mend that, or set apt to a mirror that answers"
    }
}

main "$@"
