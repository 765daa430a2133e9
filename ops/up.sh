#!/usr/bin/env bash
# From nothing to a deployed database: a cluster of geomill's own, or the server that the environment names.
#
# On a server that exists, roles that can log in already keep their passwords, and where roles may not be made, that is
# left to its administrator. Does again only what has changed.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ops/server.sh
source ops/server.sh

if uses_existing_server; then
    say "using the server that GEOMILL_DSN or PG* names; no cluster is made"
    .venv/bin/python -m codegen deploy
    .venv/bin/python -m codegen logins || say "no logins were made: an administrator makes them and gives GEOMILL_DSN_OWNER, _WORKER, _ADMIN, _READER, _DDH"
else
    ops/install.sh server
    ops/cluster.sh up
    .venv/bin/python -m codegen deploy
    .venv/bin/python -m codegen logins
fi
