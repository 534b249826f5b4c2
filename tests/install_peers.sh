#!/bin/sh
# Programs of others that tests compare with and talk to, from Debian; without root the tests that need them are skipped
# and say so.
set -eu
export PATH="$PATH:/usr/sbin"
missing=
command -v storescu >/dev/null || missing="$missing dcmtk"
command -v Orthanc >/dev/null || missing="$missing orthanc"
command -v dciodvfy >/dev/null || missing="$missing dicom3tools"
command -v minisign >/dev/null || missing="$missing minisign"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "== not installed:$missing: tests that need them are skipped"
    exit 0
fi
echo "== installing$missing"
export DEBIAN_FRONTEND=noninteractive
apt-get -qq update
# Nothing that is installed here starts a service.
if [ ! -e /usr/sbin/policy-rc.d ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
fi
# shellcheck disable=SC2086
apt-get -qq -y --no-install-recommends install $missing >/dev/null
