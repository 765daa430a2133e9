#!/usr/bin/env bash
# geomill's own PostgreSQL cluster: 127.0.0.1 only, on a port of its own, pg_cron preloaded. No other cluster is touched.
#
#   ops/cluster.sh up [--throwaway]   make it (once), start it, make its database; all of it is there already: nothing
#   ops/cluster.sh down               stop it; its data stays
#   ops/cluster.sh status             where it is, and whether it runs (exit status 3: it does not)
#   ops/cluster.sh destroy            stop it and remove it, with its data
#
# GEOMILL_HOME (.geomill in the checkout) says which cluster: each has one. The superuser's connection string is kept in
# $GEOMILL_HOME/dsn/superuser. The cluster itself lies in $GEOMILL_HOME/pgdata; root, whom PostgreSQL refuses to serve,
# runs it as the OS user postgres, in /var/lib/geomill. --throwaway is for tests: a crash of the machine may lose it.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ops/server.sh
source ops/server.sh

# libpq's variables of the caller are about another server.
unset "${!PG@}"

FIRST_PORT=54320
DATABASE=geomill

HOME_DIR=$(geomill_home)
if [ "$(id -u)" = 0 ]; then
    STATE=/var/lib/geomill/$(printf '%s' "$HOME_DIR" | sha256sum | cut -c1-16)
    # Not from here: postgres may not be allowed to enter this folder.
    as_server() { (cd / && runuser -u postgres -- "$@"); }
    server_owns() { chown -R postgres: "$@"; }
else
    STATE=$HOME_DIR/pgdata
    as_server() { "$@"; }
    server_owns() { :; }
fi
DATA=$STATE/data
LOG=$STATE/log
DSN_DIR=$HOME_DIR/dsn

# The superuser's password is kept beside the data, so that it is not lost with $GEOMILL_HOME.
password() { cat "$STATE/password"; }
port() { cat "$STATE/port"; }

# --- is it running ------------------------------------------------------------------------------------------------------

# Processes that work in the data directory. A process id in postmaster.pid proves nothing after a crash or a reboot: it
# may be another's by now. PostgreSQL's processes stand in their data directory, and nobody else does.
processes() {
    local process folder
    # One look at all of them: a program for each takes seconds on a busy machine.
    { find /proc/[0-9]*/cwd -maxdepth 0 -printf '%h %l\n' 2>/dev/null || true; } | while read -r process folder; do
        if [ "$folder" = "$DATA" ]; then echo "${process#/proc/}"; fi
    done
}

running() {
    local pid
    [ -e "$DATA/postmaster.pid" ] || return 1
    pid=$(head -n 1 "$DATA/postmaster.pid" 2>/dev/null) || return 1
    [ -n "$pid" ] && [ "$(readlink "/proc/$pid/cwd" 2>/dev/null)" = "$DATA" ]
}

# A server process that outlived its postmaster must be gone before another postmaster starts: two would ruin the data.
clear_stale_pid() {
    local tries
    for tries in {1..100}; do
        [ -n "$(processes)" ] || break
        sleep 0.1
    done
    [ -z "$(processes)" ] || die "processes of a postmaster that is gone are still in $DATA: $(processes | xargs) (waited for $tries tenths of a second)"
    rm -f "$DATA/postmaster.pid"
}

# --- make it ------------------------------------------------------------------------------------------------------------

create() {
    local new=$STATE/data.new
    id postgres >/dev/null 2>&1 || [ "$(id -u)" != 0 ] || die "there is no OS user postgres; run as another user than root, or install the distribution's PostgreSQL"
    say "a cluster of PostgreSQL $SERVER_MAJOR in $DATA"
    rm -rf "$new"
    mkdir -p "$STATE" "$LOG" "$new"
    if [ "$(id -u)" = 0 ]; then chmod 0711 "$STATE" "$(dirname "$STATE")"; fi
    chmod 0700 "$new" "$LOG"
    # destroy removes nothing that lacks this file.
    echo "$HOME_DIR" >"$STATE/geomill-cluster"
    (umask 077 && od -An -tx1 -N24 /dev/urandom | tr -d ' \n' >"$STATE/password")
    server_owns "$new" "$LOG" "$STATE/password"
    as_server "$SERVER_BIN/initdb" --pgdata "$new" --username postgres --pwfile "$STATE/password" --auth scram-sha-256 \
        --encoding UTF8 --locale C.UTF-8 "$@" >"$STATE/initdb.log" 2>&1 || die "initdb failed:"$'\n'"$(cat "$STATE/initdb.log")"
    chown "$(id -u):$(id -g)" "$STATE/password"
    echo "include 'geomill.conf'" >>"$new/postgresql.conf"
    # Complete or not there: an initdb that was interrupted leaves no data directory behind.
    mv "$new" "$DATA"
}

# Written at each start, so that a cluster follows the settings of its checkout.
configure() {
    {
        cat ops/postgresql.conf
        echo
        echo "# From ops/cluster.sh:"
        echo "listen_addresses = '127.0.0.1'"
        echo "port = $1"
        echo "log_directory = '$LOG'"
        # An ordinary user's shared memory in /dev/shm is removed by systemd when the user logs out.
        if [ "$(id -u)" != 0 ]; then echo "dynamic_shared_memory_type = 'mmap'"; fi
        if [ -e "$STATE/throwaway" ]; then printf '%s\n' "fsync = off" "full_page_writes = off" "autovacuum_naptime = 5s"; fi
    } >"$DATA/geomill.conf"
    server_owns "$DATA/geomill.conf"
}

# --- start it -----------------------------------------------------------------------------------------------------------

is_free() {
    python3 - "$1" <<'PYTHON'
import socket, sys

with socket.socket() as probe:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL does
    try:
        probe.bind(("127.0.0.1", int(sys.argv[1])))
    except OSError:
        sys.exit(1)
PYTHON
}

start() {
    local port last
    port=$(port 2>/dev/null || echo "$FIRST_PORT")
    last=$((port + 200))
    while [ "$port" -lt "$last" ]; do
        if is_free "$port"; then
            configure "$port"
            # The lock is not for the server to inherit: it would hold it for as long as it runs.
            if as_server "$SERVER_BIN/pg_ctl" start --wait --timeout 300 --silent --pgdata "$DATA" --log "$LOG/start.log" 9>&- >&2; then
                echo "$port" >"$STATE/port"
                return
            fi
            # Somebody may have taken the port since; any other reason is for people to read.
            if is_free "$port"; then
                die "PostgreSQL does not start; its last words:"$'\n'"$(tail -n 5 "$LOG/start.log" "$(newest_log)" 2>/dev/null)"
            fi
        fi
        port=$((port + 1))
    done
    die "no free port from $FIRST_PORT to $last on 127.0.0.1"
}

newest_log() { find "$LOG" -name 'postgresql-*.log' -printf '%T@ %p\n' | sort -rn | head -n 1 | cut -d' ' -f2-; }

# The superuser's connection string, and the port in those that others wrote (python -m codegen logins).
write_dsns() {
    local file
    mkdir -p "$DSN_DIR"
    chmod 0700 "$DSN_DIR"
    (umask 077 && echo "postgresql://postgres:$(password)@127.0.0.1:$(port)/$DATABASE" >"$DSN_DIR/superuser")
    for file in "$DSN_DIR"/*; do
        sed -i -E "s#@127\.0\.0\.1:[0-9]+/#@127.0.0.1:$(port)/#" "$file"
    done
}

psql_as_superuser() {
    PGPASSWORD="$(password)" \
        "$SERVER_BIN/psql" --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 \
        --host 127.0.0.1 --port "$(port)" --username postgres --dbname postgres "$@"
}

up() {
    local major=''
    if [ -e "$DATA/PG_VERSION" ]; then major=$(cat "$DATA/PG_VERSION"); fi
    find_server "$major" || die "no PostgreSQL ${major:->= $OLDEST_POSTGRESQL} with ${EXTENSIONS[*]} is installed here: ops/install.sh server"
    if ! mkdir -p "$HOME_DIR" || [ ! -w "$HOME_DIR" ]; then
        die "$HOME_DIR is not ours to write to; name another folder: GEOMILL_HOME"
    fi
    exec 9>"$HOME_DIR/cluster.lock"
    flock 9
    if [ ! -e "$DATA/PG_VERSION" ]; then
        if [ "${1:-}" = --throwaway ]; then
            mkdir -p "$STATE"
            touch "$STATE/throwaway"
            create --no-sync
        else
            create
        fi
    fi
    if ! running; then
        clear_stale_pid
        start
    fi
    write_dsns
    if [ -z "$(psql_as_superuser --command "SELECT 1 FROM pg_database WHERE datname = '$DATABASE'")" ]; then
        psql_as_superuser --command "CREATE DATABASE $DATABASE"
    fi
    say "PostgreSQL $SERVER_MAJOR is running on 127.0.0.1:$(port), database $DATABASE"
}

down() {
    if ! running; then
        say "no cluster is running for $HOME_DIR"
        return
    fi
    find_server "$(cat "$DATA/PG_VERSION")" || die "the programs of PostgreSQL $(cat "$DATA/PG_VERSION") are gone"
    as_server "$SERVER_BIN/pg_ctl" stop --wait --timeout 300 --silent --mode fast --pgdata "$DATA" >&2
    say "stopped; the data stays in $DATA"
}

status() {
    if [ ! -e "$DATA/PG_VERSION" ]; then
        echo "no cluster for $HOME_DIR"
        return 3
    fi
    echo "PostgreSQL $(cat "$DATA/PG_VERSION") on 127.0.0.1:$(port), data in $DATA, logs in $LOG"
    if running; then echo "running, process $(head -n 1 "$DATA/postmaster.pid")"; else
        echo "not running"
        return 3
    fi
}

destroy() {
    if [ ! -e "$STATE/geomill-cluster" ]; then
        # An `up` that failed before it made anything leaves its intention.
        rm -f "$STATE/throwaway"
        rmdir "$STATE" 2>/dev/null || true
        return
    fi
    if running; then down; fi
    clear_stale_pid
    rm -rf "$STATE"
    rm -rf "$DSN_DIR"
    say "removed the cluster of $HOME_DIR"
}

case ${1:-} in
    up) up "${2:-}" ;;
    down) down ;;
    status) status ;;
    destroy) destroy ;;
    *) die "usage: ops/cluster.sh up [--throwaway] | down | status | destroy" ;;
esac
