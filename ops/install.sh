#!/usr/bin/env bash
# Installs what geomill needs and this machine lacks, and nothing else.
#
#   ops/install.sh venv      Python >= 3.11, and .venv with the packages of requirements.lock
#   ops/install.sh bench     ogr2ogr, which `make bench` compares with (gdal-bin, some 20 MB with python3-numpy)
#   ops/install.sh server    PostgreSQL >= 15 with PostGIS, pg_cron, pgTAP and plpgsql_check; pg_prove and PgBouncer, for the tests
#
# Packages are the distribution's own (Debian, Ubuntu), by apt-get, as root or by sudo. No cluster is made, no service started,
# and none that exists is touched. Where nothing can be installed, it says what is missing and what else would do.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ops/server.sh
source ops/server.sh

PYTHON_NEEDED='3.11'

# --- what is here ---------------------------------------------------------------------------------------------------

# Sets PYTHON to an interpreter that is new enough; one that can make virtual environments comes first.
find_python() {
    local candidate found=''
    for candidate in "${GEOMILL_PYTHON:-python3}" python3 python3.14 python3.13 python3.12 python3.11; do
        command -v "$candidate" >/dev/null || continue
        "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        if can_make_venv "$candidate"; then PYTHON=$candidate; return 0; fi
        found=${found:-$candidate}
    done
    PYTHON=$found
    [ -n "$found" ]
}

# Debian's python3 has the venv module without ensurepip until python3-venv is installed.
can_make_venv() { "$1" -c 'import venv, ensurepip' 2>/dev/null; }

# --- what can be installed --------------------------------------------------------------------------------------------

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

can_be_root() {
    [ "$(id -u)" = 0 ] && return 0
    command -v sudo >/dev/null || return 1
    sudo -n true 2>/dev/null && return 0
    # sudo wants a password: there must be somebody to give it.
    [ -t 0 ] && [ -t 2 ] && say "sudo is needed to install packages" && sudo -v
}

# Ends with what is missing, why it is not installed here, and what else would do. All packages that are missing are
# named at once, so that whoever installs them is asked once.
refuse() {
    local why=$1 what=$2
    {
        echo "geomill: missing: $what."
        echo "geomill cannot install it: $why."
        echo "On Debian or Ubuntu, somebody who may:"
        echo "    apt-get install $(missing_packages | xargs)"
        if [ "$what" = "$PYTHON_MISSING" ]; then
            echo "Another interpreter can be named: GEOMILL_PYTHON=/path/to/python3"
        else
            echo "Or use a PostgreSQL >= $OLDEST_POSTGRESQL with PostGIS (better: pg_cron, too) that runs elsewhere. Either of"
            echo "    export GEOMILL_DSN=postgresql://user:password@host:5432/database"
            echo "    export PGHOST=host PGPORT=5432 PGUSER=user PGPASSWORD=password PGDATABASE=database"
        fi
    } >&2
    exit 1
}

PYTHON_MISSING="Python >= $PYTHON_NEEDED with the venv module"
SERVER_MISSING="PostgreSQL >= $OLDEST_POSTGRESQL with PostGIS, pg_cron, pgTAP and plpgsql_check, pg_prove and pgbouncer"

UPDATED=''
update_lists() {
    [ -z "$UPDATED" ] || return 0
    say "apt-get update"
    as_root apt-get -o DPkg::Lock::Timeout=300 -qq update >&2 || say "apt-get update failed; going on with the lists that are here"
    UPDATED=yes
}

has_candidate() { [[ $(apt-cache policy "$1" 2>/dev/null) =~ Candidate:\ [^\(] ]]; }

# apt_install WHAT PACKAGE...: installs the packages; WHAT names them in the refusal. apt's own words are shown if it fails.
apt_install() {
    local what=$1 package unknown=() words
    shift
    for package in "$@"; do has_candidate "$package" || unknown+=("$package"); done
    [ ${#unknown[@]} -eq 0 ] || refuse "this distribution has no ${unknown[*]} (https://apt.postgresql.org has every version of PostgreSQL)" "$what"
    say "apt-get install $*"
    words=$(as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
        apt-get -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 -qq -y --no-install-recommends install "$@" 2>&1) || {
        printf '%s\n' "$words" | tail -n 20 >&2
        refuse "apt-get failed" "$what"
    }
}

# --- the virtual environment ------------------------------------------------------------------------------------------

python_packages() {
    if find_python && can_make_venv "$PYTHON"; then return; fi
    local minor
    # An interpreter beside the distribution's default has a venv package of its own.
    case ${PYTHON##*/} in python3.*) echo "${PYTHON##*/}-venv"; return ;; esac
    # A default that is too old may have a newer one beside it.
    if [ -z "$PYTHON" ] && command -v python3 >/dev/null; then
        for minor in 14 13 12 11; do
            if has_candidate "python3.$minor-venv"; then echo "python3.$minor-venv"; return; fi
        done
    fi
    printf '%s\n' python3 python3-venv
}

install_python() {
    if find_python && can_make_venv "$PYTHON"; then return 0; fi
    local packages
    mapfile -t packages < <(python_packages)
    command -v apt-get >/dev/null || refuse "there is no apt-get" "$PYTHON_MISSING"
    can_be_root || refuse "neither root nor sudo" "$PYTHON_MISSING"
    update_lists
    apt_install "$PYTHON_MISSING" "${packages[@]}"
    hash -r
    if find_python && can_make_venv "$PYTHON"; then return 0; fi
    refuse "the distribution's python3 is $(python3 -V 2>&1)" "$PYTHON_MISSING"
}

make_venv() {
    install_python
    # The system's pip may be closed to us (PEP 668), and its packages are not ours to change: always the venv's.
    if ! .venv/bin/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        say "virtual environment .venv from $("$PYTHON" -V)"
        "$PYTHON" -m venv --clear .venv
    fi
    say "packages of requirements.lock into .venv (a minute or two)"
    PIP_USER=0 .venv/bin/python -m pip install -qq --disable-pip-version-check --prefer-binary --requirement requirements.lock >&2 ||
        die "pip could not install requirements.lock; behind a mirror or a proxy set PIP_INDEX_URL or HTTPS_PROXY, and try again"
}

# --- the server -------------------------------------------------------------------------------------------------------

package_of() {
    case $2 in
        postgis) echo "postgresql-$1-postgis-3" ;;
        pg_cron) echo "postgresql-$1-cron" ;;
        pgtap) echo "postgresql-$1-pgtap" ;;
        plpgsql_check) echo "postgresql-$1-plpgsql-check" ;;
    esac
}

# Reads all that apt-cache says: one that is cut short ends with an error.
default_major() { apt-cache depends postgresql 2>/dev/null | awk '/Depends: postgresql-[0-9]+$/ && !found { sub(/.*-/, ""); print; found = 1 }'; }

# A server that is here and only lacks extensions is completed, if the distribution has them; else its default is installed.
choose_major() {
    local major share extension complete
    while read -r major _ share; do
        [ "$share" = "/usr/share/postgresql/$major" ] || continue
        complete=yes
        while read -r extension; do
            has_candidate "$(package_of "$major" "$extension")" || complete=''
        done < <(missing_extensions "$share")
        [ -z "$complete" ] || { echo "$major"; return; }
    done < <(installed_servers)
    default_major
}

# Its package puts it where an ordinary user's PATH does not lead.
has_pgbouncer() { [ -x /usr/sbin/pgbouncer ] || command -v pgbouncer >/dev/null; }

server_is_complete() { find_server '' && command -v pg_prove >/dev/null && has_pgbouncer; }

# What makes the chosen server complete: all of it where none is there.
server_packages() {
    local major extension
    if server_is_complete; then return; fi
    major=$(choose_major)
    major=${major:-$OLDEST_POSTGRESQL}
    [ -x "/usr/lib/postgresql/$major/bin/postgres" ] || echo "postgresql-$major"
    missing_extensions "/usr/share/postgresql/$major" | while read -r extension; do package_of "$major" "$extension"; done
    command -v pg_prove >/dev/null || echo libtap-parser-sourcehandler-pgtap-perl
    has_pgbouncer || echo pgbouncer
}

missing_packages() {
    python_packages
    uses_existing_server || server_packages
}

# Debian starts the service of a package that it installs, unless this file says no. One that is there is its owner's word.
POLICY=/usr/sbin/policy-rc.d
OUR_POLICY=''
keep_services_from_starting() {
    [ ! -e "$POLICY" ] || return 0
    OUR_POLICY=yes
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$POLICY" >/dev/null
    as_root chmod 0755 "$POLICY"
}
let_services_start() { if [ -n "$OUR_POLICY" ]; then as_root rm -f "$POLICY"; fi; }

install_server() {
    if server_is_complete; then return 0; fi
    local major packages conf=/etc/postgresql-common/createcluster.d
    command -v apt-get >/dev/null || refuse "there is no apt-get" "$SERVER_MISSING"
    can_be_root || refuse "neither root nor sudo" "$SERVER_MISSING"
    update_lists
    major=$(choose_major)
    [ "${major:-0}" -ge $OLDEST_POSTGRESQL ] ||
        refuse "the distribution's PostgreSQL is ${major:-not there} (https://apt.postgresql.org has newer ones)" "$SERVER_MISSING"
    mapfile -t packages < <(server_packages)
    # Installing a server makes a cluster on port 5432 and starts it, unless it is told not to. Only for this once.
    as_root mkdir -p "$conf"
    echo 'create_main_cluster = false' | as_root tee "$conf/geomill.conf" >/dev/null
    # shellcheck disable=SC2064  # $conf is local: it is to be expanded now
    trap "as_root rm -f '$conf/geomill.conf'; as_root rmdir --ignore-fail-on-non-empty '$conf'; let_services_start" EXIT
    case " ${packages[*]} " in *' pgbouncer '*) keep_services_from_starting ;; esac
    apt_install "$SERVER_MISSING" "${packages[@]}"
    # Installed, it would start with the machine.
    case " ${packages[*]} " in *' pgbouncer '*) if command -v systemctl >/dev/null; then as_root systemctl --quiet disable pgbouncer 2>/dev/null || true; fi ;; esac
    hash -r
    find_server "$major" || die "PostgreSQL $major was installed, but these extensions are not there: $(missing_extensions "/usr/share/postgresql/$major" | xargs)"
}

OGR2OGR_MISSING='ogr2ogr'

install_bench() {
    if command -v ogr2ogr >/dev/null; then return 0; fi
    command -v apt-get >/dev/null || refuse "there is no apt-get" "$OGR2OGR_MISSING"
    can_be_root || refuse "neither root nor sudo" "$OGR2OGR_MISSING"
    update_lists
    apt_install "$OGR2OGR_MISSING" gdal-bin
}

case ${1:-} in
    venv) make_venv ;;
    server) install_server ;;
    bench) install_bench ;;
    *) die "usage: ops/install.sh venv|server|bench" ;;
esac
