#!/usr/bin/env bash
# The make targets for ENGINE=docker: up, down, dsn ROLE, workers N, pgtap, clean.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ops/server.sh
source ops/server.sh

docker compose version >/dev/null 2>&1 || die "docker compose is not installed; without it: make ENGINE=local"

ENV_FILE=$(geomill_home)/docker.env
if [ ! -e "$ENV_FILE" ]; then
    mkdir -p "$(dirname "$ENV_FILE")"
    (umask 077 && echo "GEOMILL_DB_PASSWORD=$(od -An -tx1 -N24 /dev/urandom | tr -d ' \n')" >"$ENV_FILE")
fi
compose() { docker compose --env-file "$ENV_FILE" "$@"; }

case ${1:-} in
    up)
        compose build db deploy
        compose up --detach --wait db
        compose run --rm deploy
        ;;
    down) compose --profile '*' down ;;
    dsn) compose run --rm --no-TTY deploy python -m codegen dsn "$2" | sed "s#@db:5432/#@127.0.0.1:${GEOMILL_DB_PORT:-54319}/#" ;;
    workers) GEOMILL_WORKERS=$2 compose up workers ;;
    pgtap) compose build pgtap && compose run --rm pgtap ;;
    clean)
        compose --profile '*' down --volumes --remove-orphans
        rm -f "$ENV_FILE"
        ;;
    *) die "usage: ops/docker.sh up | down | dsn ROLE | workers N | pgtap | clean" ;;
esac
