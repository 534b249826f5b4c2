#!/bin/sh
# pip install into an environment, with a line every ten seconds that says what it is at: pip itself is silent for minutes
# where its output is no terminal. Bytecode is left to whoever imports first: most of it nobody ever does.
#   tools/pip_install.sh ENVIRONMENT ARGUMENT...
set -eu
environment=$1
shift
said=$(mktemp)
began=$(date +%s)

tell() {
    if grep -q '^Installing collected' "$said"; then
        doing="unpacking, $(du -sm "$environment" | cut -f1) MB so far"
    else
        doing=$(sed -n 's/^ *\([BCDGPU][a-z]*ing .*\)/\1/p' "$said" | tail -n 1)
    fi
    printf '   … %s s: %.70s\n' $(($(date +%s) - began)) "${doing:-starting}"
}

# Ends with this script, whatever ends that.
while sleep "${EVERY:-10}" >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do tell; done &
teller=$!
trap 'kill $teller 2>/dev/null || :; rm -f "$said"' EXIT
trap 'exit 130' INT
trap 'exit 143' HUP TERM

"$environment/bin/python" -m pip --disable-pip-version-check install --no-compile --progress-bar off "$@" >"$said"
