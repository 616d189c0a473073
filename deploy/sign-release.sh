#!/bin/sh
# Lists every file of an unpacked release with its digest, and signs the list: sign-release.sh FOLDER KEY (both as files, PEM).
# What comes of it is checked at every start where `release_certificate` names the key's certificate (oa_server/release.py).
set -eu
cd "$1"
find . -type f ! -name RELEASE.sha256 ! -name RELEASE.sig -print0 | LC_ALL=C sort -z | xargs -0 sha256sum >RELEASE.sha256
openssl dgst -sha256 -sign "$2" -out RELEASE.sig RELEASE.sha256
