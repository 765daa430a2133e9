#!/usr/bin/env bash
# The db service of docker-compose.yml: makes its cluster once, then is PostgreSQL.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ops/server.sh
source ops/server.sh

DATA=/var/lib/geomill/data
find_server '' || die "this image has no complete PostgreSQL"

if [ ! -e "$DATA/PG_VERSION" ]; then
    rm -rf "$DATA.new"
    "$SERVER_BIN/initdb" --pgdata "$DATA.new" --username postgres --pwfile <(printf '%s' "${GEOMILL_DB_PASSWORD:?}") \
        --auth scram-sha-256 --encoding UTF8 --locale C.UTF-8
    # The network of the containers; the port that the host sees is bound to 127.0.0.1 by docker-compose.yml.
    echo 'host all all all scram-sha-256' >>"$DATA.new/pg_hba.conf"
    echo "include 'geomill.conf'" >>"$DATA.new/postgresql.conf"
    : >"$DATA.new/geomill.conf"
    # In single-user mode, for nobody can connect yet.
    echo 'CREATE DATABASE geomill;' | "$SERVER_BIN/postgres" --single -D "$DATA.new" -c unix_socket_directories= postgres >/dev/null
    mv "$DATA.new" "$DATA"
fi

{
    cat ops/postgresql.conf
    echo "listen_addresses = '*'"
    echo "logging_collector = off    # the container's output is the log"
} >"$DATA/geomill.conf"
exec "$SERVER_BIN/postgres" -D "$DATA"
