# shellcheck shell=bash
# Sourced by the other scripts: which PostgreSQL geomill is to use, and where its programs are.

OLDEST_POSTGRESQL=15
EXTENSIONS=(postgis pg_cron pgtap plpgsql_check)

say() { printf 'geomill: %s\n' "$*" >&2; }
die() { say "$@"; exit 1; }

# The folder of everything that geomill keeps for this checkout: connection strings, storage, a cluster.
geomill_home() {
    local checkout
    checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
    realpath -m "${GEOMILL_HOME:-$checkout/.geomill}"
}

# Whether the environment names a server: then geomill makes none. libpq's variables count as long as this checkout has
# no cluster of its own, as in codegen/connection.py.
uses_existing_server() {
    [ -n "${GEOMILL_DSN:-}${GEOMILL_DSN_SUPERUSER:-}" ] && return 0
    [ -n "${PGHOST:-}${PGHOSTADDR:-}${PGSERVICE:-}${PGDATABASE:-}" ] && [ ! -e "$(geomill_home)/dsn/superuser" ]
}

# "major bin-directory share-directory" of every PostgreSQL server installed here that is new enough, newest first.
installed_servers() {
    local bin major
    {
        for bin in /usr/lib/postgresql/*/bin; do
            [ -x "$bin/postgres" ] || continue
            major=$(basename "$(dirname "$bin")")
            echo "$major $bin /usr/share/postgresql/$major"
        done
        if command -v pg_config >/dev/null && bin=$(pg_config --bindir) && [ -x "$bin/postgres" ]; then
            major=$("$bin/postgres" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
            echo "$major $bin $(pg_config --sharedir)"
        fi
    } | sort -u | sort -k1,1nr | awk -v oldest="$OLDEST_POSTGRESQL" '$1 + 0 >= oldest'
}

# The extensions that the server with this share directory lacks, one a line.
missing_extensions() {
    local extension
    for extension in "${EXTENSIONS[@]}"; do
        [ -e "$1/extension/$extension.control" ] || echo "$extension"
    done
}

# Sets SERVER_MAJOR and SERVER_BIN to the newest server that has every extension: of any major version ('') or of one.
# shellcheck disable=SC2034
find_server() {
    local major bin share
    while read -r major bin share; do
        [ -z "$1" ] || [ "$1" = "$major" ] || continue
        [ -z "$(missing_extensions "$share")" ] || continue
        SERVER_MAJOR=$major SERVER_BIN=$bin
        return 0
    done < <(installed_servers)
    return 1
}
