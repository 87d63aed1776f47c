#!/bin/bash
# What freshet's headers cost a user's compiler: user seconds and peak memory of one compilation.
#
#   bench/header_cost.sh [PIPELINE.cpp [FLAG...]]
#
# Prints a line for the umbrella header alone at -O0 (wanted: at most 2.5 s) and, when a file with
# one keyed-window pipeline is named, one for that file at -O2 (wanted: at most 5 s). Each figure is
# the least of three runs, which is the one that other work on the machine disturbed least.
# CXX chooses the compiler; FLAGs are passed on, for example -isystem of an unpacked Boost.
set -euo pipefail
repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
compiler=${CXX:-g++}

command -v /usr/bin/time >/dev/null || {
  echo "header_cost: /usr/bin/time is absent; install the package time" >&2
  exit 1
}
pipeline=${1:-}
if [[ $# -gt 0 ]]; then shift; fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# cost <label> <source> <flag>...: compiles three times, prints the run with the least user time.
cost() {
  local label=$1 source=$2
  shift 2
  for _ in 1 2 3; do
    /usr/bin/time -a -o "$scratch/times" -f '%U %M' \
      "$compiler" -std=c++20 -I"$repository/include" "$@" -c "$source" -o "$scratch/object.o"
  done
  sort -n "$scratch/times" | awk -v label="$label" \
    'NR == 1 { printf "%-34s %6.2f s user %6.0f MB peak\n", label, $1, $2 / 1024 }'
  rm "$scratch/times"
}

"$compiler" --version | head -n 1
echo '#include <freshet/freshet.hpp>' > "$scratch/umbrella.cpp"
cost "umbrella header, -O0" "$scratch/umbrella.cpp" -O0 "$@"
if [[ -n $pipeline ]]; then cost "$(basename "$pipeline"), -O2" "$pipeline" -O2 "$@"; fi
