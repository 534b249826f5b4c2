#!/bin/sh
# Programs of others that tests compare with and talk to, from Debian; without root the tests that need them are skipped
# and say so.
set -eu
export PATH="$PATH:/usr/sbin"
missing=
command -v storescu >/dev/null || missing="$missing dcmtk"
command -v Orthanc >/dev/null || missing="$missing orthanc"
command -v dciodvfy >/dev/null || missing="$missing dicom3tools"
command -v prometheus >/dev/null || missing="$missing prometheus"
command -v minisign >/dev/null || missing="$missing minisign"
command -v scmp_sys_resolver >/dev/null || missing="$missing seccomp"
command -v chromium >/dev/null || missing="$missing chromium"
command -v chromedriver >/dev/null || missing="$missing chromium-driver"

# axe-core (MPL-2.0), which judges whether everybody can use the page; it is run, and not passed on.
axe=4.14.1
axe_sha256=e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745
cache="${XDG_CACHE_HOME:-$HOME/.cache}/edge-cxr-tests"
if [ ! -e "$cache/axe.min.js" ]; then
    echo "== fetching axe-core $axe"
    mkdir -p "$cache"
    fetched=$(mktemp -d)
    if curl --fail --silent --location --max-time 120 --output "$fetched/axe.tgz" \
        "https://registry.npmjs.org/axe-core/-/axe-core-$axe.tgz" &&
        echo "$axe_sha256  $fetched/axe.tgz" | sha256sum --check --quiet; then
        tar -xzf "$fetched/axe.tgz" -C "$fetched"
        mv "$fetched/package/axe.min.js" "$cache/axe.min.js"
    else
        echo "== axe-core could not be fetched: tests that need it are skipped"
    fi
    rm -rf "$fetched"
fi
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
