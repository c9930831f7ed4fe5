#!/usr/bin/env bash
# Compiles gpu/kernels/*.cu: to PTX (resources/ptx), which the virtual GPU runs and every GPU's driver can compile, and to
# machine code of six architectures (resources/cubin), which GPUs run at once and without a driver as new as the compiler.
# resources/ptx/resources.txt says what registers and shared memory each kernel takes. Families are left as they are while
# neither their source nor a header of ours that it includes has changed. Needs CUDA 12.8 or later; what it makes is kept, so that building needs no CUDA toolkit.
# A source that says "Needs sm_89." in its comments is compiled for that one and later ones.
set -euo pipefail
cd "$(dirname "$0")/.."

architectures="80 86 89 90 100 120"
mkdir -p resources/ptx resources/cubin
report=resources/ptx/resources.txt
touch "$report"

# A source and those of our headers that it includes, each once, in the order in which they are met.
withHeaders() {
    local files=("$1") i header
    for ((i = 0; i < ${#files[@]}; ++i)); do
        while read -r header; do
            [[ " ${files[*]} " == *" gpu/kernels/$header "* ]] || files+=("gpu/kernels/$header")
        done < <(sed -n 's/^#include "\(.*\.cuh\)"$/\1/p' "${files[i]}")
    done
    cat "${files[@]}"
}

for source in gpu/kernels/*.cu; do
    name=$(basename "$source" .cu)
    digest=$(withHeaders "$source" | sha256sum | cut -d' ' -f1)
    ptx=resources/ptx/$name.ptx
    cubin=resources/cubin/$name.fatbin
    if [ -f "$cubin" ] && head -n 1 "$ptx" 2>/dev/null | grep -q "$digest\$"; then
        continue
    fi
    echo "$name"
    scratch=$(mktemp -d)
    oldest=$(sed -n 's|^//.*Needs sm_\([0-9]*\)\..*|\1|p' "$source" | head -n 1)
    oldest=${oldest:-80}
    nvcc -std=c++17 -arch="sm_$oldest" -lineinfo -ptx "$source" -o "$scratch/text.ptx"
    images=()
    # From the very same PTX, without its line numbers.
    sed -e '/^[[:space:]]*\.loc/d' -e '/^[[:space:]]*\.file/d' "$scratch/text.ptx" >"$scratch/bare.ptx"
    for architecture in $architectures; do
        [ "$architecture" -ge "$oldest" ] || continue
        ptxas -arch="sm_$architecture" -v "$scratch/bare.ptx" -o "$scratch/$architecture.cubin" 2>>"$scratch/log"
        images+=("--image3=kind=elf,sm=$architecture,file=$scratch/$architecture.cubin")
    done
    # Drivers since CUDA 12.4 unpack this compression, a sixth of the size of the older one.
    fatbinary -64 --create="$scratch/code.fatbin" --compress-all --compress-mode=size "${images[@]}"
    awk -v family="$name" '
        /Compiling entry/ { split($0, part, "\x27"); kernel = part[2]; arch = part[4] }
        /spill stores/ { spilled = $5 }
        /Used [0-9]+ registers/ {
            registers = $0; sub(/.*Used /, "", registers); sub(/ .*/, "", registers)
            shared = 0
            if (match($0, /[0-9]+ bytes smem/)) shared = substr($0, RSTART, RLENGTH) + 0
            print family, arch, kernel, registers, shared, spilled }' "$scratch/log" >"$scratch/report"
    {
        echo "# What ptxas reports for each kernel: family, architecture, kernel, registers a thread, bytes of static shared memory, spilled bytes."
        { grep -vE "^(#|$name )" "$report" || true; cat "$scratch/report"; } | sort
    } >"$scratch/resources.txt"
    mv "$scratch/resources.txt" "$report"
    {
        echo "// Compiled from gpu/kernels/$name.cu, sha256 with its headers $digest"
        # Files by where they are in the project or the toolkit, not on the machine that compiled them.
        sed -e "s#\"$PWD/#\"#" -e 's#"/[^"]*/include/#"cuda/#' -e '/^\/\/ Compiler Build ID/d' -e '/^[[:space:]]*\/\//d' "$scratch/text.ptx"
    } >"$ptx"
    mv "$scratch/code.fatbin" "$cubin"
    rm -rf "$scratch"
done

# Kernels that come with Warplight to be looked at: PTX alone.
for source in resources/examples/kernels/*.cu; do
    ptx=${source%.cu}.ptx
    digest=$(sha256sum "$source" | cut -d' ' -f1)
    if head -n 1 "$ptx" 2>/dev/null | grep -q "$digest\$"; then
        continue
    fi
    echo "$source"
    text=$(mktemp --suffix=.ptx)
    nvcc -std=c++17 -arch=sm_80 -lineinfo -ptx "$source" -o "$text"
    {
        echo "// Compiled from $(basename "$source"), sha256 $digest"
        sed -e "s#\"$PWD/resources/examples/kernels/#\"#" -e 's#"/[^"]*/include/#"cuda/#' -e '/^\/\/ Compiler Build ID/d' -e '/^[[:space:]]*\/\//d' "$text"
    } >"$ptx"
    rm -f "$text"
done
