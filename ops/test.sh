#!/usr/bin/env bash
# Runs tests in a cluster and databases of their own, and removes both at the end, whatever the end is.
#
#   ops/test.sh pgtap                 tests/pgtap
#   ops/test.sh all [pytest's ARGS]   tests/pgtap, then tests/py; pytest's own summary is the last line
#   ops/test.sh sweep                 removes clusters of runs that were killed
#
# GEOMILL_TEST_DSN, a superuser's, names a server to make the databases in instead. It must be one for tests: geomill's roles
# there get new passwords.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=ops/server.sh
source ops/server.sh

RUNS=$(geomill_home)/test
RUN=$RUNS/$$
PYTHON=.venv/bin/python

# A run's folder is named after its process.
sweep() {
    local run
    for run in "$RUNS"/*/; do
        if [ ! -d "$run" ] || [ -e "/proc/$(basename "$run")" ]; then continue; fi
        sweep_processes "$run"
        GEOMILL_HOME=$run ops/cluster.sh destroy
        rm -rf "$run"
    done
}

# The clusters of a run's further processes (tests/py/support/throwaway.py): they remove them, unless they were killed.
sweep_processes() {
    local home
    for home in "$1"/test/*/; do
        if [ -d "$home" ]; then GEOMILL_HOME=$home ops/cluster.sh destroy; fi
    done
}

finish() {
    local status=$?
    trap - EXIT
    if [ -n "${SERVER_IS_OURS:-}" ]; then
        sweep_processes "$RUN" 2>/dev/null || true
        ops/cluster.sh destroy 2>/dev/null || say "the cluster of this run is still there; \`make clean\` removes it"
    elif [ -n "${GEOMILL_TEST_TEMPLATE:-}" ]; then
        $PYTHON -m tests.py.support.template drop || say "$GEOMILL_TEST_TEMPLATE is still there"
    fi
    rm -rf "$RUN"
    rmdir "$RUNS" 2>/dev/null || true
    exit "$status"
}

# A server, and on it a database that is deployed once and copied for every test.
prepare() {
    # Whatever else the caller works with is not for tests to touch.
    local variable
    for variable in "${!GEOMILL_DSN@}" "${!PG@}" "${!GEOMILL_IDENTITY@}" "${!GEOMILL_DEPLOY_@}" GEOMILL_LISTEN_DSN GEOMILL_STORAGE \
        GEOMILL_PUBLIC_URL GEOMILL_POOLER GEOMILL_ENVIRONMENT GEOMILL_AUTO_DEPLOY GEOMILL_BACKUP_BEFORE_DEPLOY GEOMILL_VALIDATE_GENERATED \
        GEOMILL_NO_CRON; do unset "$variable"; done
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    mkdir -p "$RUN"
    export GEOMILL_HOME=$RUN
    if [ -z "${GEOMILL_TEST_DSN:-}" ]; then
        ops/install.sh server || die "or name a server for tests: GEOMILL_TEST_DSN=postgresql://postgres:password@host/postgres"
        SERVER_IS_OURS=yes
        ops/cluster.sh up --throwaway
        GEOMILL_TEST_DSN=$(cat "$RUN/dsn/superuser")
        GEOMILL_TEST_TEMPLATE=geomill_template
        export GEOMILL_TEST_SERVER_IS_OURS=yes
    else
        GEOMILL_TEST_TEMPLATE=geomill_template_$$
    fi
    export GEOMILL_TEST_DSN GEOMILL_TEST_TEMPLATE
    $PYTHON -m tests.py.support.template create
}

# One copy for all files: each is a transaction that is rolled back, one after the other, for there is one janitor and one job of a kind.
# Prints prove's summary last.
pgtap() {
    local files database
    mapfile -t files < <(find tests/pgtap -name '*.sql' -not -path 'tests/pgtap/setup/*' | sort)
    if [ ${#files[@]} -eq 0 ]; then
        say "no pgTAP tests in tests/pgtap"
        return
    fi
    command -v pg_prove >/dev/null || die "pg_prove is not installed: libtap-parser-sourcehandler-pgtap-perl"
    database=$($PYTHON -m tests.py.support.template engine)
    pg_prove --ext .sql --jobs 1 --dbname "$database" "${files[@]}"
}

# A process of pytest for each core, each with a cluster of its own: more than four want more memory than a laptop has.
processes() {
    local cores
    cores=$(nproc)
    echo $((cores < 4 ? cores : 4))
}

case ${1:-} in
    sweep) sweep ;;
    pgtap)
        sweep
        prepare
        pgtap
        ;;
    all)
        shift
        sweep
        prepare
        failed=0
        pgtap || failed=$?
        $PYTHON -m pytest --numprocesses "$(processes)" --dist worksteal "$@" || failed=$?
        exit "$failed"
        ;;
    *) die "usage: ops/test.sh all [ARGS] | pgtap | sweep" ;;
esac
