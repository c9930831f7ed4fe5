#!/usr/bin/env bash
# Installs those packages of the given lists that are missing. Needs root or sudo only when something is missing.
# usage: install_packages.sh LIST...
set -euo pipefail

wanted=$(grep -hvE '^\s*(#|$)' "$@" | sort -u)
missing=()
for package in $wanted; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

echo "Installing ${#missing[@]} packages, which takes some two minutes: ${missing[*]}"
sudo=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "Please install as root: apt-get install ${missing[*]}" >&2; exit 1; }
    sudo=(sudo)
fi
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends -o APT::Status-Fd=1 \
    "${missing[@]}" | grep --line-buffered -E '^(dl|pm)status:' | "$(dirname "$0")/progress.sh" packages
