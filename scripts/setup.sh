#!/usr/bin/env bash
# Sets everything up: system libraries, .venv, the pinned requirements, the project itself. Safe to run again.
# usage: scripts/setup.sh [all|dev] [requirements]
# dev adds what the tests need, Chromium too; with `requirements` it stops before the project itself
set -euo pipefail
cd "$(dirname "$0")/.."
level=${1:-all}

say() { printf 'set-up: %s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

find_python() {
  for python in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    if "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then return; fi
  done
  fail "Python 3.11 or newer was not found. Install it, or name one: make PYTHON=/path/to/python3.12"
}

has_library() { "$python" -c 'import ctypes.util, sys; sys.exit(not ctypes.util.find_library(sys.argv[1]))' "$1" 2>/dev/null; }
has_font() {
  find /usr/share/fonts /usr/local/share/fonts /Library/Fonts "$HOME/.fonts" "$HOME/.local/share/fonts" \
    -name '*.[ot]t[fc]' -print -quit 2>/dev/null | grep -q .
}
has_chromium() {
  for browser in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$browser" >/dev/null; then return; fi
  done
  return 1
}

missing_packages() {
  "$python" -c 'import ensurepip, venv' 2>/dev/null ||
    "$python" -c 'import sys; print("python{}.{}-venv".format(*sys.version_info))'
  command -v git >/dev/null || echo git
  has_library pango-1.0 || echo libpango-1.0-0
  has_library pangoft2-1.0 || echo libpangoft2-1.0-0
  has_library harfbuzz-subset || echo libharfbuzz-subset0
  has_font || echo fonts-dejavu-core
  if [ "$level" = dev ]; then # the browser tests: Chromium, and what Playwright's driver is linked with
    has_chromium || echo chromium
    has_library atomic || echo libatomic1
  fi
}

install_packages() {
  local as=() log
  if [ "$(id -u)" != 0 ]; then as=(sudo -n); fi
  if ! command -v apt-get >/dev/null || ! "${as[@]}" true 2>/dev/null; then
    fail "system packages are missing. Install them, then run make again: sudo apt-get install $*"
  fi
  say "installing system packages: $*"
  log=$(mktemp)
  if ! {
    "${as[@]}" apt-get -q update &&
      "${as[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends "$@"
  } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    fail "apt-get could not install them (see above). Install them, then run make again: sudo apt-get install $*"
  fi
  rm -f "$log"
}

make_venv() {
  if ! .venv/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    say "making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
  fi
  .venv/bin/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements/build.txt
}

# uv links files out of its cache; where that is impossible it would warn once for every set-up.
choose_link_mode() {
  local cache probe
  cache=$(.venv/bin/uv cache dir)
  mkdir -p "$cache"
  probe=$(mktemp -p "$cache")
  ln "$probe" ".venv/$(basename "$probe")" 2>/dev/null || export UV_LINK_MODE=${UV_LINK_MODE:-copy}
  rm -f "$probe" ".venv/$(basename "$probe")"
}

install_requirements() {
  local quiet=--quiet
  if [ -t 2 ]; then quiet=; fi # a person at a terminal sees the progress of the downloads
  if [ -n "${PIP_INDEX_URL:-}" ]; then export UV_DEFAULT_INDEX=${UV_DEFAULT_INDEX:-$PIP_INDEX_URL}; fi
  export UV_HTTP_TIMEOUT=${UV_HTTP_TIMEOUT:-300}
  choose_link_mode
  say "installing the requirements (7 GB on disk; the first time they are downloaded)"
  .venv/bin/uv pip install $quiet --python .venv/bin/python --require-hashes -r "requirements/$level.txt"
}

install_project() {
  .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --editable .
}

find_python
packages=$(missing_packages)
# shellcheck disable=SC2086
if [ -n "$packages" ]; then install_packages $packages; fi
make_venv
install_requirements
if [ "${2:-}" = requirements ]; then exit; fi
install_project
touch .venv/.setup-all ".venv/.setup-$level"
say "done"
