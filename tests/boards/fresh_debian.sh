#!/bin/sh
# A fresh Debian 12 in a container that systemd runs: from the .deb to the first report in Orthanc.
# As root, on a machine with a network, some 600 MB and some minutes:
#   python -m boards deb --target x86-64
#   sh tests/boards/fresh_debian.sh dist/edge-cxr_*_amd64.deb radiograph.dcm
# Prints each step; the first that fails ends it with its exit code. Ports 4242, 8042 and 11112 are
# used. It needs the packages debootstrap, systemd-container, dcmtk, orthanc and curl.
set -eu
package=$(realpath "$1") radiograph=$(realpath "$2")
work=$(mktemp -d)
root=$work/debian
log=$work/log
containers= orthanc=
finish() {
    [ -z "$orthanc" ] || kill "$orthanc" 2>/dev/null || true
    [ -z "$containers" ] || { kill "$containers" 2>/dev/null || true; wait "$containers" 2>/dev/null || true; }
    rm -rf --one-file-system "$work"
}
trap finish EXIT
say() { echo "== $(date +%T) $*"; }
inside() { nsenter --target "$(pgrep -P "$containers" | head -n 1)" --all "$@"; }
until_so() {
    for _ in $(seq 60); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 1
    done
    echo "not so after a minute: $*" >&2
    inside journalctl -u edge-cxr --no-pager -o cat | tail -n 20 >&2
    exit 1
}
in_orthanc() { [ "$(curl -s http://127.0.0.1:8042/instances | grep -c '"')" = "$1" ]; }

say "a fresh Debian 12"
debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,python3 bookworm "$root" >"$log"
cp /etc/resolv.conf "$root/etc/"
mkdir "$root/given"
cp "$package" "$root/given/edge-cxr.deb"
systemd-nspawn --quiet --directory "$root" --boot --register=no --keep-unit \
    --system-call-filter="landlock_create_ruleset landlock_add_rule landlock_restrict_self" >"$log" 2>&1 &
containers=$!
until_so inside systemctl is-active multi-user.target

say "apt install edge-cxr.deb"
inside apt-get install -qq --no-install-recommends /given/edge-cxr.deb >"$log" 2>&1
until_so inside systemctl is-active edge-cxr
inside systemd-analyze security edge-cxr --no-pager | tail -n 1
inside dpkg --verify edge-cxr

say "Orthanc is to get the results"
mkdir "$work/orthanc"
cat >"$work/orthanc.json" <<END
{"StorageDirectory": "$work/orthanc", "IndexDirectory": "$work/orthanc", "DicomAet": "ORTHANC",
 "AuthenticationEnabled": false, "DicomAlwaysAllowStore": true}
END
Orthanc "$work/orthanc.json" >"$log" 2>&1 &
orthanc=$!
cat >>"$root/etc/edge-cxr/box.toml" <<END

[[receiver]]
name = "archive"
ae_title = "ORTHANC"
host = "127.0.0.1"
port = 4242
END
inside systemctl restart edge-cxr
until_so echoscu -aec EDGECXR 127.0.0.1 11112

say "storescu"
storescu -aec EDGECXR 127.0.0.1 11112 "$radiograph"
until_so in_orthanc 1
say "its report is in Orthanc"
inside journalctl -u edge-cxr --no-pager -o cat | grep -E "^(received|answered|delivered)"

say "killed"
inside sh -c 'kill -9 $(systemctl show --property MainPID --value edge-cxr)'
sleep 5
until_so echoscu -aec EDGECXR 127.0.0.1 11112
say "it is back, and the same image again is known"
storescu -aec EDGECXR 127.0.0.1 11112 "$radiograph"
sleep 5
in_orthanc 1
inside journalctl -u edge-cxr --no-pager -o cat | grep "^received" | tail -n 1

say "upgraded"
inside apt-get install -qq --reinstall /given/edge-cxr.deb >"$log" 2>&1
until_so echoscu -aec EDGECXR 127.0.0.1 11112
inside edge-cxr serve /etc/edge-cxr/box.toml --status

say "removed: the spool and the settings stay"
inside apt-get remove -qq edge-cxr >"$log" 2>&1
[ -e "$root/var/lib/edge-cxr/spool.sqlite" ]
[ -e "$root/etc/edge-cxr/box.toml" ]
[ ! -e "$root/usr/lib/edge-cxr" ]

say "purged: nothing is left"
inside apt-get purge -qq edge-cxr >"$log" 2>&1
for each in usr/lib/edge-cxr var/lib/edge-cxr var/cache/edge-cxr etc/edge-cxr usr/bin/edge-cxr; do
    [ ! -e "$root/$each" ] || { echo "left: /$each" >&2; exit 1; }
done
say "done"
