#!/usr/bin/env bash
# Checks what MAPPINGS and CONFIG name, one path or pattern a line. Their text is never run. Exit status: 1 if there are
# problems, 2 if nothing could be checked.
set -euo pipefail
shopt -s globstar nullglob

named() { # the files that the lines of a text name, into the array `found`
  local line IFS=
  found=()
  while IFS= read -r line || [ -n "$line" ]; do
    line=${line%$'\r'}
    [ -n "$line" ] || continue
    local matches=($line) # without IFS, only patterns are expanded: no words are split, nothing is run
    [ "${#matches[@]}" -gt 0 ] || { echo "::error::no file matches the pattern under mappings: or config:"; exit 2; }
    found+=("${matches[@]}")
  done <<<"$1"
}

named "${MAPPINGS:-}" && mappings=("${found[@]}")
named "${CONFIG:-}" && configs=("${found[@]}")
[ $((${#mappings[@]} + ${#configs[@]})) -gt 0 ] || { echo "::error::name files under mappings: or config:"; exit 2; }
schema=()
[ -z "${SCHEMA:-}" ] || schema=(--schema "$SCHEMA")

# A finding's line becomes a mark in the pull request; what a mapping says is not taken for a command of the runner.
echo "::add-matcher::${GITHUB_ACTION_PATH:?}/deploy/github/findings.json"
pause=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
echo "::stop-commands::$pause"
status=0
if [ "${#mappings[@]}" -gt 0 ]; then
  connector check "${schema[@]}" -- "${mappings[@]}" 2>&1 || status=$?
  connector test "${schema[@]}" -- "${mappings[@]}" 2>&1 || status=$?
fi
if [ "${#configs[@]}" -gt 0 ]; then
  agencies=()
  for path in "${configs[@]}"; do agencies+=("--config=$path"); done
  connector check "${agencies[@]}" 2>&1 || status=$?
fi
echo "::$pause::"
exit "$status"
