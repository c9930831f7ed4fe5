#!/usr/bin/env bash
# Configures (once) and builds one build folder.  usage: build.sh FOLDER [cmake options] [-- ninja targets]
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1
shift
options=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    options+=("$1")
    shift
done
[ $# -eq 0 ] || shift
if [ ! -f "$folder/build.ninja" ]; then
    cmake -G Ninja -S . -B "$folder" -DCMAKE_CXX_COMPILER_LAUNCHER=ccache "${options[@]}" >/dev/null
fi
ninja -C "$folder" "$@" | cmake/progress.sh "$folder"
