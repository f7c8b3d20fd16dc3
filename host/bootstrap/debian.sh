#!/usr/bin/env bash
# Installs the Debian packages that Engram builds and runs with: only those that are missing.
#
#   debian.sh          what every part wants
#   debian.sh pico     and what the virtual Pico wants beside
#
# A package counts as there when dpkg lists it as installed, or when what it is wanted for works anyway
# (a tool chain from elsewhere is as good). Nothing is installed, and nothing is asked, when all are there.
set -euo pipefail

# package | a command that succeeds when what the package is wanted for is there
WANTED='
ca-certificates          | test -s /etc/ssl/certs/ca-certificates.crt
git                      | git --version
make                     | make --version
build-essential          | echo "int main(void){return 0;}" | cc -x c -fsyntax-only -include stdio.h -
xz-utils                 | xz --version
python3                  | python3 -c "import sys; sys.exit(sys.version_info < (3, 11))"
python3-venv             | python3 -c "import venv, ensurepip"
python3-dev              | python3 -c "import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path(\"include\") + \"/Python.h\"))"
gcc-arm-none-eabi        | arm-none-eabi-gcc --version
libnewlib-arm-none-eabi  | arm-none-eabi-gcc -x c -fsyntax-only -include math.h /dev/null
qemu-system-arm          | qemu-system-arm --version
'
WANTED_pico='
cmake                    | cmake --version
ninja-build              | ninja --version
nodejs                   | node --version
npm                      | npm --version
'

for group in "$@"; do
    name=WANTED_$group
    [ -n "${!name:-}" ] || { echo "engram: debian.sh knows no group of packages '$group'" >&2; exit 2; }
    WANTED+=${!name}
done

installed() {
    command -v dpkg-query >/dev/null 2>&1 || return 1
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=()
while IFS='|' read -r package probe; do
    package=${package// /}
    [ -n "$package" ] || continue
    installed "$package" || bash -c "$probe" >/dev/null 2>&1 </dev/null || missing+=("$package")
done <<<"$WANTED"

[ ${#missing[@]} -gt 0 ] || exit 0

say() { printf '%s\n' "$@" >&2; }
if ! command -v apt-get >/dev/null 2>&1; then
    say "engram: this machine has no apt-get, and these are missing (Debian's names): ${missing[*]}" \
        "        Install them with this system's package manager, then run the same command again."
    exit 1
fi

if [ "$(id -u)" = 0 ]; then
    as_root=(env)
elif command -v sudo >/dev/null 2>&1 && { sudo -n true 2>/dev/null || [ -t 0 ]; }; then
    as_root=(sudo env) # asks for the password where there is a terminal to ask on
else
    say "engram: these Debian packages are missing: ${missing[*]}" \
        "        Installing them needs root, and there is no usable sudo. As root, run" \
        "            apt-get install --no-install-recommends ${missing[*]}" \
        "        and then the same command again."
    exit 1
fi

say "engram: installing Debian packages: ${missing[*]}"
apt=("${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120)
"${apt[@]}" update || say "engram: apt-get update was not complete; trying with the lists there are"
if ! "${apt[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null; then
    say "engram: apt-get could not install: ${missing[*]}" \
        "        Its message is above. When that is mended, run the same command again."
    exit 1
fi
