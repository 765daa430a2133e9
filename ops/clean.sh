#!/usr/bin/env bash
# Removes what geomill made for this checkout: its cluster with all data, clusters that interrupted tests left, the
# virtual environment, $GEOMILL_HOME. Servers that GEOMILL_DSN or PG* name are not touched.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ops/server.sh
source ops/server.sh

home=$(geomill_home)
ops/test.sh sweep
GEOMILL_HOME=$home ops/cluster.sh destroy
# Named file by file: GEOMILL_HOME may have been set to a folder that holds other things.
rm -rf "${home:?}"/{dsn,storage,pgdata,test,docker.env,cluster.lock}
if [ -d "$home" ] && ! rmdir "$home" 2>/dev/null; then say "$home holds files that geomill did not make, or keeps elsewhere; it stays"; fi
rm -rf .venv build .pytest_cache .mypy_cache .ruff_cache .hypothesis
