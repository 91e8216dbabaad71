#!/usr/bin/env bash
# Makes what `make` needs: system packages (apt, only where missing) and .venv with kdl in it.
#
#   tools/setup.sh user    ffmpeg, .venv, kdl                         (make demo)
#   tools/setup.sh dev     the same, with the development tools       (make check)
#   tools/setup.sh test    the same, with nginx, aria2, tmux, curl, Chromium (make test)
#   tools/setup.sh bench   the same                                   (make bench-...)
#
# Quick where nothing has changed: the package is installed again only when pyproject.toml is newer
# than the stamp in .venv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$*"; exit 3; }

# apt_install PACKAGE... : as root, through sudo where it is there, else says what to ask for.
apt_install() {
    command -v apt-get >/dev/null || die "missing: $*. Install them with this system's package manager, then run make again."
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null || die "missing: $*. As root: apt-get update && apt-get install -y $*"
        as_root=(sudo)
    fi
    say "installing $* with apt"
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update ||
        die "apt-get update failed. Check the network and /etc/apt/sources.list, then run make again."
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "$@" >/dev/null ||
        die "apt could not install: $*. Its own words are above."
}

# need PROGRAM PACKAGE: notes the package in `missing` where the program is not there.
missing=()
need() {
    # nginx lives in /usr/sbin, which is not on every user's PATH
    PATH="$PATH:/usr/sbin:/usr/local/sbin" command -v "$1" >/dev/null || missing+=("$2")
}

find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return
        fi
    done
    return 1
}

make_venv() {
    [ -x .venv/bin/python ] && .venv/bin/python -m pip --version >/dev/null 2>&1 && return
    local python
    python=$(find_python) || die "kdl needs Python 3.11 or newer. On Debian 12: apt-get install python3 python3-venv"
    # Debian ships venv without ensurepip until python3-venv is there
    "$python" -c 'import ensurepip, venv' 2>/dev/null || apt_install python3-venv
    say "making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv || die "$python -m venv failed. Its own words are above."
}

# install_kdl EXTRA: editable, once for each state of pyproject.toml.
install_kdl() {
    local stamp what=. fresh=.venv/.installed-$1
    [ "$1" = dev ] && what='.[dev]'
    # the development install serves a user too
    for stamp in "$fresh" .venv/.installed-dev; do
        if [ -e "$stamp" ] && [ ! pyproject.toml -nt "$stamp" ]; then
            return
        fi
    done
    say "installing kdl and what it needs into .venv"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -e "$what" ||
        die "pip could not install $what. Its own words are above."
    touch "$fresh"
}

# keep_wheels: what kdl needs, as files, so that tests can install kdl into an empty environment offline.
keep_wheels() {
    local wheels=.venv/wheels
    if [ -f "$wheels/complete" ] && [ ! pyproject.toml -nt "$wheels/complete" ]; then return; fi
    say "keeping the wheels of what kdl needs in $wheels"
    rm -rf "$wheels" && mkdir -p "$wheels"
    .venv/bin/python - > "$wheels/wanted" <<'PYTHON'
import tomllib

with open("pyproject.toml", "rb") as file:
    told = tomllib.load(file)
print(*told["project"]["dependencies"], *told["build-system"]["requires"], "pip", sep="\n")
PYTHON
    .venv/bin/python -m pip download --quiet --disable-pip-version-check -d "$wheels" -r "$wheels/wanted" ||
        die "pip could not fetch the wheels. Its own words are above."
    touch "$wheels/complete"
}

kind=${1:-user}
need ffmpeg ffmpeg
need ffprobe ffmpeg
case $kind in
    user) extra=user ;;
    dev) extra=dev ;;
    test | bench)
        extra=dev
        need nginx nginx-light
        need tmux tmux
        need curl curl
        need chromium chromium
        need aria2c aria2
        ;;
    *) die "usage: tools/setup.sh user|dev|test|bench" ;;
esac
if [ "${#missing[@]}" -gt 0 ]; then
    mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
    apt_install "${missing[@]}"
fi
make_venv
install_kdl "$extra"
if [ "$kind" = test ]; then keep_wheels; fi
