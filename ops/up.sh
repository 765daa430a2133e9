#!/usr/bin/env bash
# From nothing to a deployed database: a cluster of geomill's own, or the server that the environment names.
#
# On a server that exists, roles that can log in already keep their passwords, and where roles may not be made, that is
# left to its administrator. Does again only what has changed. Where GEOMILL_AUTO_DEPLOY says no, as in production, it asks
# before it deploys, and deploys nothing where there is nobody to ask.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ops/server.sh
source ops/server.sh

PYTHON=.venv/bin/python

# Whether the settings let it, or somebody who has read the plan.
may_deploy() {
    local auto answer=''
    auto=$($PYTHON -m codegen settings auto_deploy) || exit 1
    [ "$auto" = 0 ] || return 0
    if [ -t 0 ] && [ -t 2 ]; then
        $PYTHON -m codegen plan >&2 || [ $? = 2 ] || exit 1
        read -r -p "geomill: deploy this? [y/N] " answer
    fi
    [[ $answer =~ ^[Yy] ]]
}

existing=''
if uses_existing_server; then
    existing=yes
    say "using the server that GEOMILL_DSN or PG* names; no cluster is made"
else
    ops/install.sh server
    ops/cluster.sh up
fi
if ! may_deploy; then
    say "not deployed: GEOMILL_AUTO_DEPLOY is 0 here (python -m codegen settings); look at \`make plan\`, then \`make deploy\`"
    exit 0
fi
# What the code says now, whatever plan was made before; hazards are refused as ever.
$PYTHON -m codegen deploy --replan
if [ -z "$existing" ]; then
    $PYTHON -m codegen logins
else
    $PYTHON -m codegen logins || say "no logins were made: an administrator makes them and gives GEOMILL_DSN_OWNER, _WORKER, _ADMIN, _READER, _DDH"
fi
