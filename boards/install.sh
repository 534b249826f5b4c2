#!/bin/sh
# Installs edge-cxr from this folder: no network, no root. --help says what else it can do.
# Exit codes: 0 done, 2 wrong usage, 3 the kit is damaged, 4 it cannot be installed here.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd -P) || exit 4
check=yes python= next=
for argument in "$@"; do
    case $next in
        --python) python=$argument next= ; continue ;;
        --prefix | --trust) next= ; continue ;;
    esac
    case $argument in
        --rollback | --uninstall | --help | -h) check= ;;
        --python | --prefix | --trust) next=$argument ;;
        --python=*) python=${argument#--python=} ;;
    esac
done

[ "$check" ] && echo "checking the kit's files …"
if [ "$check" ] && ! bad=$(cd "$here" && LC_ALL=C sha256sum -c SHA256SUMS 2>/dev/null); then
    bad=$(printf '%s\n' "$bad" | grep -v ': OK$' | head -n 1)
    echo "install.sh: the kit is damaged (${bad:-SHA256SUMS}): copy it again; nothing was changed" >&2
    exit 3
fi

fits='import json, sys
sys.exit("%d.%d" % sys.version_info[:2] not in json.load(open(sys.argv[1]))["wheels"])'
if [ -z "$python" ]; then
    for candidate in python3 python3.13 python3.12 python3.11 python3.10; do
        command -v "$candidate" >/dev/null 2>&1 || continue
        python=${python:-$candidate}
        if "$candidate" -I -c "$fits" "$here/kit.json" 2>/dev/null; then
            python=$candidate
            break
        fi
    done
fi
if ! command -v "${python:=python3}" >/dev/null 2>&1; then
    echo "install.sh: there is no $python: Raspberry Pi OS has it as the package python3" >&2
    exit 4
fi
exec "$python" -I "$here/installer.py" "$@"
