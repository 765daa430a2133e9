#!/usr/bin/env bash
# From nothing to a deployed database: a cluster of geomill's own, or the server that the environment names.
#
# A server that exists is deployed to and otherwise left alone: its logins are its administrator's to make
# (`python -m codegen logins` makes them where it may). Does again only what has changed.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ops/server.sh
source ops/server.sh

if uses_existing_server; then
    say "using the server that GEOMILL_DSN or PG* names; no cluster is made"
    .venv/bin/python -m codegen deploy
else
    ops/install.sh server
    ops/cluster.sh up
    .venv/bin/python -m codegen deploy
    .venv/bin/python -m codegen logins
fi
