#!/bin/sh
# A fresh Debian 12 in a container that systemd runs: from the .deb, or the kit, to the first report
# in Orthanc. As root, on a machine with a network, some 600 MB and some minutes:
#   python -m boards deb --target x86-64          or: python -m boards kit --target x86-64
#   sh tests/boards/fresh_debian.sh dist/edge-cxr_*_amd64.deb radiograph.dcm [SHOTS]
# Prints each step; the first that fails ends it with its exit code. SHOTS is a folder for pictures
# of Orthanc and of the box's page, which Chromium takes. Ports 4242, 8042, 8080 and 11112 are used.
# It needs the packages debootstrap, systemd-container, dcmtk and curl. What it does is what
# docs/first-radiograph.md tells a stranger to do.
set -eu
export PATH="$PATH:/usr/sbin"
shots=${3-}
package=$(realpath "$1") radiograph=$(realpath "$2")
work=$(mktemp -d)
root=$work/debian
log=$work/log
containers=
finish() {
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
shot() {
    [ -n "$shots" ] || return 0
    chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --virtual-time-budget=10000 \
        --window-size=1000,"$3" --screenshot="$shots/$1.png" "$2" >"$log" 2>&1
}
in_orthanc() { [ "$(curl -s http://127.0.0.1:8042/instances | grep -c '"')" = "$1" ]; }

say "a fresh Debian 12"
debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,python3 bookworm "$root" >"$log"
cp /etc/resolv.conf "$root/etc/"
mkdir "$root/given"
case $package in
    *.deb) cp "$package" "$root/given/edge-cxr.deb" && program=edge-cxr ;;
    *) tar -xzf "$package" -C "$root/given" && program=/opt/edge-cxr/bin/edge-cxr ;;
esac
systemd-nspawn --quiet --directory "$root" --boot --register=no --keep-unit \
    --system-call-filter="landlock_create_ruleset landlock_add_rule landlock_restrict_self" >"$log" 2>&1 &
containers=$!
until_so inside systemctl is-active multi-user.target

put() {
    case $package in
        *.deb) inside apt-get install -qq --no-install-recommends $* /given/edge-cxr.deb ;;
        *) inside sh -c 'sh /given/edge-cxr-kit-*/service.sh' ;;
    esac >"$log" 2>&1
}
say "installed from $(basename "$package")"
put
until_so inside systemctl is-active edge-cxr
inside systemd-analyze security edge-cxr --no-pager | tail -n 1
[ $program != edge-cxr ] || inside dpkg --verify edge-cxr

say "Orthanc is to get the results"
inside apt-get install -qq --no-install-recommends orthanc >"$log" 2>&1
cat >>"$root/etc/edge-cxr/box.toml" <<END

[[receiver]]
name = "archive"
ae_title = "ORTHANC"
host = "127.0.0.1"
port = 4242

[page]
END
inside systemctl restart edge-cxr
until_so echoscu -aec EDGECXR 127.0.0.1 11112
inside $program serve /etc/edge-cxr/box.toml --check

say "storescu, to Orthanc and to the box"
until_so echoscu -aec ORTHANC 127.0.0.1 4242
storescu -aec ORTHANC 127.0.0.1 4242 "$radiograph"
storescu -aec EDGECXR 127.0.0.1 11112 "$radiograph"
until_so in_orthanc 2
say "its report is in Orthanc"
inside journalctl -u edge-cxr --no-pager -o cat | grep -E "^(received|answered|delivered)"
study=$(curl -s http://127.0.0.1:8042/studies | grep -o '[0-9a-f-]\{44\}' | head -n 1)
shot first-orthanc "http://127.0.0.1:8042/app/explorer.html#study?uuid=$study" 560
shot first-page http://127.0.0.1:8080/images/1 800

say "killed"
inside sh -c 'kill -9 $(systemctl show --property MainPID --value edge-cxr)'
sleep 5
until_so echoscu -aec EDGECXR 127.0.0.1 11112
say "it is back, and the same image again is known"
storescu -aec EDGECXR 127.0.0.1 11112 "$radiograph"
sleep 5
in_orthanc 2
inside journalctl -u edge-cxr --no-pager -o cat | grep "^received" | tail -n 1

say "upgraded"
put --reinstall
until_so echoscu -aec EDGECXR 127.0.0.1 11112
inside $program serve /etc/edge-cxr/box.toml --status

say "removed: the spool and the settings stay"
if [ $program = edge-cxr ]; then
    inside apt-get remove -qq edge-cxr >"$log" 2>&1
    [ ! -e "$root/usr/lib/edge-cxr" ]
else
    inside sh -c 'sh /given/edge-cxr-kit-*/service.sh --remove' >"$log" 2>&1
    [ ! -e "$root/etc/systemd/system/edge-cxr.service" ]
fi
[ -e "$root/var/lib/edge-cxr/spool.sqlite" ]
[ -e "$root/etc/edge-cxr/box.toml" ]
[ $program = edge-cxr ] || { say "done"; exit 0; }

say "purged: nothing is left"
inside apt-get purge -qq edge-cxr >"$log" 2>&1
for each in usr/lib/edge-cxr var/lib/edge-cxr var/lib/edge-cxr-state var/cache/edge-cxr etc/edge-cxr usr/bin/edge-cxr; do
    [ ! -e "$root/$each" ] || { echo "left: /$each" >&2; exit 1; }
done
say "done"
