#!/usr/bin/env bash
# Installs the connector of this version beside the job's own files, in exactly the versions of the lock file.
set -euo pipefail
source=${GITHUB_ACTION_PATH:?} home=${RUNNER_TEMP:?}/careCycle-connector
"${PYTHON:-python3}" -m venv "$home"
sed -n '/^uv==/,/[^\\]$/p' "$source/requirements.lock" >"$home/uv.txt"
"$home/bin/python" -m pip --disable-pip-version-check install --quiet --require-hashes --requirement "$home/uv.txt"
cd "$source"
VIRTUAL_ENV=$home "$home/bin/uv" pip install --quiet --require-hashes --constraint requirements.lock --requirement pyproject.toml --group build
VIRTUAL_ENV=$home "$home/bin/uv" pip install --quiet --no-deps --no-build-isolation .
echo "$home/bin" >>"${GITHUB_PATH:?}"
