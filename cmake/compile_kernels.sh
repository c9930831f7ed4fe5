#!/usr/bin/env bash
# Compiles gpu/kernels/*.cu to resources/ptx, and says what registers and shared memory each kernel takes
# (resources/ptx/resources.txt). Needs nvcc 12 or later. The PTX is kept, so that building needs no CUDA toolkit.
set -euo pipefail
cd "$(dirname "$0")/.."

architectures="sm_80 sm_86 sm_89 sm_90 sm_100 sm_120"
mkdir -p resources/ptx
report=resources/ptx/resources.txt
echo "# What ptxas reports for each kernel: registers a thread, bytes of static shared memory, spilled bytes." > "$report"

for source in gpu/kernels/*.cu; do
    name=$(basename "$source" .cu)
    digest=$(cat gpu/kernels/*.cuh "$source" | sha256sum | cut -d' ' -f1)
    text=$(mktemp --suffix=.ptx)
    nvcc -std=c++17 -arch=sm_80 -lineinfo -ptx "$source" -o "$text"
    {
        echo "// Compiled from gpu/kernels/$name.cu, sha256 with its headers $digest"
        # Files by where they are in the project or the toolkit, not on the machine that compiled them.
        sed -e "s#\"$PWD/#\"#" -e 's#"/[^"]*/include/#"cuda/#' -e '/^\/\/ Compiler Build ID/d' -e '/^[[:space:]]*\/\//d' "$text"
    } > "resources/ptx/$name.ptx"
    for architecture in $architectures; do
        ptxas -arch="$architecture" -v "$text" -o /dev/null 2>&1 | awk -v arch="$architecture" '
            /Compiling entry/ { split($0, part, "\x27"); kernel = part[2] }
            /spill stores/ { spilled = $5 }
            /Used [0-9]+ registers/ {
                registers = $0; sub(/.*Used /, "", registers); sub(/ .*/, "", registers)
                shared = 0
                if (match($0, /[0-9]+ bytes smem/)) shared = substr($0, RSTART, RLENGTH) + 0
                print arch, kernel, registers, shared, spilled }' | sort >> "$report"
    done
    rm -f "$text"
    echo "$name"
done
