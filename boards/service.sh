#!/bin/sh
# Installs the kit for the whole system, and the box in the clinic as a service of systemd. As root:
#   sh service.sh [--prefix /opt/edge-cxr]      install, or upgrade; the spool and the settings stay
#   sh service.sh --remove                      the service goes; the spool and the settings stay
# Exit codes as of install.sh.
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd -P) || exit 4
prefix=/opt/edge-cxr remove=
while [ $# -gt 0 ]; do
    case $1 in
        --prefix) prefix=${2:?--prefix needs a folder}; shift ;;
        --prefix=*) prefix=${1#--prefix=} ;;
        --remove) remove=yes ;;
        *) sed -n '2,5s/^# //p' "$0" >&2; exit 2 ;;
    esac
    shift
done
unit=${DESTDIR-}/etc/systemd/system/edge-cxr.service
settings=${DESTDIR-}/etc/edge-cxr/box.toml

refuse() {
    echo "service.sh: $*" >&2
    exit 4
}
[ "${DESTDIR-}" ] || [ "$(id -u)" = 0 ] || refuse "only root can install a service: use sudo"
[ "${DESTDIR-}" ] || [ -d /run/systemd/system ] || refuse "this system is not run by systemd"
case $prefix in
    /home/* | /root/*) refuse "a service cannot see $prefix: choose a folder such as /opt/edge-cxr" ;;
    /*[!A-Za-z0-9/._-]*) refuse "$prefix: letters, digits, /, ., _ and - alone" ;;
    /*) ;;
    *) refuse "$prefix: --prefix takes a whole path" ;;
esac

if [ "$remove" ]; then
    [ "${DESTDIR-}" ] || systemctl disable --quiet --now edge-cxr
    rm -f "$unit"
    [ "${DESTDIR-}" ] || systemctl daemon-reload
    echo "the service is removed; settings: $settings; spool: /var/lib/edge-cxr, noted in /var/lib/edge-cxr-state"
    exit 0
fi

umask 022
sh "$here/install.sh" --prefix "$prefix" || exit
if [ ! "${DESTDIR-}" ] && ! getent passwd edge-cxr >/dev/null; then
    useradd --system --user-group --home-dir /var/lib/edge-cxr --no-create-home \
        --shell /usr/sbin/nologin edge-cxr || refuse "the user edge-cxr cannot be made"
    # Coral's udev rule lets this group in.
    getent group plugdev >/dev/null && usermod --append --groups plugdev edge-cxr
fi
mkdir -p "$(dirname "$unit")" "$(dirname "$settings")" || exit 4
[ -e "$settings" ] || cp "$here/service/box.toml" "$settings" || exit 4
sed "s|/usr/bin/edge-cxr|$prefix/bin/edge-cxr|" "$here/service/edge-cxr.service" >"$unit.new" &&
    mv "$unit.new" "$unit" || exit 4
if [ ! "${DESTDIR-}" ]; then
    systemctl daemon-reload && systemctl enable --quiet edge-cxr && systemctl restart edge-cxr ||
        refuse "the service does not start: journalctl -u edge-cxr says why"
fi
echo "the box runs with $settings; what it says: journalctl -u edge-cxr"
