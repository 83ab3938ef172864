#!/bin/sh
# Optional, and only for a bare Debian or Ubuntu machine without a running Docker: a daemon of its own below one folder.
#   sudo deploy/bare-debian/docker.sh start FOLDER   installs Debian's packages where missing, starts dockerd, prints what to export
#   sudo deploy/bare-debian/docker.sh stop FOLDER    ends that daemon and no other; FOLDER can be removed then
set -eu

die() { printf '%s\n' "docker.sh: $*" >&2; exit 1; }
usage="usage: docker.sh start|stop FOLDER"
[ $# -eq 2 ] || die "$usage"
mkdir -p "$2"
folder=$(CDPATH='' cd -- "$2" && pwd -P)
[ "$(id -u)" = 0 ] || die "dockerd needs root; run this with sudo."

start() {
  for program in dockerd iptables; do
    command -v "$program" >/dev/null || missing=yes
  done
  if [ "${missing:-no}" = yes ]; then
    command -v apt-get >/dev/null || die "there is no apt-get here: install Docker Engine the way your system does."
    apt-get update -qq >&2
    # docker.io only suggests iptables, and without it no container has a network.
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables ca-certificates >&2
  fi
  [ -S "$folder/docker.sock" ] && die "a daemon of this folder runs already (or died; remove $folder/docker.sock then)."
  nohup dockerd --host "unix://$folder/docker.sock" --data-root "$folder/data" --exec-root "$folder/exec" \
    --pidfile "$folder/docker.pid" >"$folder/dockerd.log" 2>&1 &
  tries=60
  until DOCKER_HOST=unix://$folder/docker.sock docker version >/dev/null 2>&1; do
    tries=$((tries - 1))
    if [ "$tries" = 0 ]; then
      tail -n 15 "$folder/dockerd.log" >&2
      die "dockerd did not come up; the end of its log is above."
    fi
    sleep 1
  done
  echo "export DOCKER_HOST=unix://$folder/docker.sock"
}

stop() {
  [ -f "$folder/docker.pid" ] || die "no daemon of this folder is running."
  pid=$(cat "$folder/docker.pid")
  kill "$pid"
  while kill -0 "$pid" 2>/dev/null; do sleep 1; done
}

case $1 in
  start) start ;;
  stop) stop ;;
  *) die "$usage" ;;
esac
