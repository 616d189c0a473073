#!/bin/sh
# Install what the tests need of the distribution, and nothing when it is all there.
# Without root it names what is missing.
set -eu
missing=""
need() { command -v "$1" >/dev/null 2>&1 || [ -e "$1" ] || missing="$missing $2"; }
need /usr/lib/postgresql/15/bin/postgres postgresql-15
need redis-server redis-server
need softhsm2-util softhsm2
need chromium chromium
need qpdf qpdf
need pdfsig poppler-utils
need certutil libnss3-tools
need openssl openssl
need Xvfb xvfb
need ss iproute2
need unshare util-linux
need wrk wrk
need gcore gdb
need cfssl golang-cfssl
need /usr/sbin/nginx nginx-light
need /usr/sbin/haproxy haproxy
need systemd-analyze systemd
need /usr/sbin/clamd clamav-daemon
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ]; then
  echo "The tests need these packages: apt-get install$missing" >&2
  exit 1
fi
# The distribution's own servers stay off: the tests start private ones.
policy=/usr/sbin/policy-rc.d
[ -e "$policy" ] || { printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy" && trap 'rm -f "$policy"' EXIT; }
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086
apt-get install -y -qq --no-install-recommends $missing >/dev/null
