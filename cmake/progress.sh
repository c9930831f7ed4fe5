#!/usr/bin/env bash
# Shows how far ninja or apt-get is: one line that changes on a terminal, otherwise a line every tenth. Passes on what
# else they say.  usage: ninja ... | progress.sh WHAT, or apt-get -o APT::Status-Fd=1 ... | progress.sh WHAT
set -euo pipefail
what=$1
begin=$SECONDS
shown=-1
open=no # a line that is still to be replaced
[ -t 1 ] && terminal=yes || terminal=no

# show PERCENT DETAIL
show() {
    local percent=$1 left="" seconds=$((SECONDS - begin))
    if [ "$percent" -ge 5 ] && [ "$percent" -lt 100 ] && [ "$seconds" -ge 5 ]; then
        local rest=$((seconds * (100 - percent) / percent))
        left=", about $((rest < 90 ? rest : (rest + 30) / 60)) $([ "$rest" -lt 90 ] && echo seconds || echo minutes) to go"
    fi
    if [ "$terminal" = yes ]; then
        printf '\r\033[K  %s: %d %%%s%s' "$what" "$percent" "$2" "$left"
        open=yes
    elif [ "$((percent / 10))" -gt "$shown" ]; then
        shown=$((percent / 10))
        printf '  %s: %d %%%s%s\n' "$what" "$percent" "$2" "$left"
    fi
}

close() {
    [ "$open" = no ] || printf '\n'
    open=no
}

while IFS= read -r line; do
    if [[ $line =~ ^\[[^]]+\]\ Re- ]]; then # ninja looks whether it has to begin with cmake: not a part of the work
        continue
    elif [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]]; then
        show $((100 * BASH_REMATCH[1] / BASH_REMATCH[2])) ", ${BASH_REMATCH[1]} of ${BASH_REMATCH[2]}"
    elif [[ $line =~ ^(dl|pm)status:[^:]*:([0-9]+) ]]; then # downloads are the first half
        [ "${BASH_REMATCH[1]}" = dl ] && show $((BASH_REMATCH[2] / 2)) "" || show $((50 + BASH_REMATCH[2] / 2)) ""
    elif [[ $line != "ninja: no work to do." && $line != "ninja: Entering directory"* ]]; then
        close
        printf '%s\n' "$line"
    fi
done
close
