#!/bin/sh
# Installs the Debian packages that the tests need and that are not there. Says nothing when none is missing.
# With the word "containers" or "cluster": what `make test-containers` or `make test-cluster` needs, too.
set -eu

missing=""
need() { missing="$missing $1"; }
has() { command -v "$1" >/dev/null 2>&1; }
is_file() { [ -e "$1" ]; }

java_major() {
    java=$(command -v java) || return 0
    release=$(dirname "$(dirname "$(readlink -f "$java")")")/release
    if [ -r "$release" ]; then
        sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$release"
    else
        java -version 2>&1 | sed -n '1s/.*"\([0-9]*\).*/\1/p'
    fi
}

# The libraries stand in a folder named after the machine (x86_64-linux-gnu), which the shell's * finds.
has chromium || need chromium
is_file /usr/lib/*/girepository-1.0/GstRtspServer-1.0.typelib || need gir1.2-gst-rtsp-server-1.0
is_file /usr/lib/*/girepository-1.0/GstApp-1.0.typelib || need gir1.2-gst-plugins-base-1.0
is_file /usr/lib/python3/dist-packages/gi/__init__.py || need python3-gi
is_file /usr/lib/*/gstreamer-1.0/libgstapp.so || need gstreamer1.0-plugins-base
is_file /usr/lib/*/gstreamer-1.0/libgstrtp.so || need gstreamer1.0-plugins-good
is_file /usr/lib/*/gstreamer-1.0/libgstvideoparsersbad.so || need gstreamer1.0-plugins-bad
has ffmpeg || need ffmpeg
# Triton's Python backend links to the library of Debian's own Python.
minor=$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
is_file /usr/lib/*/libpython"$minor".so.1.0 || need "libpython${minor:-3-dev}"
has node || need nodejs
has redis-server || need redis-server
is_file /usr/lib/postgresql/*/bin/initdb || need postgresql
has promtool || need prometheus
has mvn || need maven
major=$(java_major)
[ "${major:-0}" -ge 17 ] || need default-jre-headless # 17 in Debian 12, newer in newer ones

if [ -n "${1:-}" ]; then
    has dockerd || docker info >/dev/null 2>&1 || need docker.io
    has mmdebstrap || need mmdebstrap
    has iptables || need iptables
fi
if [ "${1:-}" = cluster ]; then
    has containerd || need containerd
    has ip || need iproute2
    has go || need golang-go # 1.24 or newer: Debian 13 has it
fi

[ -n "$missing" ] || exit 0

give_up() {
    echo "The tests need these Debian packages:$missing" >&2
    echo "$1 Install them with: apt-get install --no-install-recommends$missing" >&2
    exit 1
}

if ! has apt-get; then
    give_up "There is no apt-get here."
elif [ "$(id -u)" -eq 0 ]; then
    root="env"
elif has sudo && sudo -n true 2>/dev/null; then
    root="sudo -n env"
else
    give_up "This user may not install packages."
fi

install() {
    # shellcheck disable=SC2086  # both are lists of words
    $root DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >"$log" 2>&1
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "Installing for the tests:$missing"
install || { $root apt-get update -qq && install; } || {
    tail -n 20 "$log" >&2
    give_up "apt-get could not install them."
}
