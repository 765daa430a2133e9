"""What each role may do, all of it, and that everything else is refused: tried, as logins of the test's own.

The tables here are allowlists. A function, table or schema that is new and open to a role fails a test until it is listed,
so that whoever opens something says so here.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, LiteralString, get_args
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import errors, sql

from tests.py.support.server import Database, Server

Role = Literal["worker", "client", "gateway", "admin", "reader", "api", "stranger"]
ROLES: tuple[Role, ...] = get_args(Role)
"""The group roles without geomill_, and a login that is in none of them."""

SCHEMAS = ("app", "platform", "geo", "h3", "pgstac", "public")
OURS = ["app", "platform", "geo", "h3"]

# The arithmetic of cells, which is anybody's who reads grids.
CELLS = """
    h3.base_cell h3.child_count h3.children h3.digits h3.first_child h3.from_text h3.is_pentagon h3.is_pentagon_base h3.is_valid
    h3.last_child h3.parent h3.resolution h3.to_text
"""
EXECUTES: Mapping[Role, str] = {
    "client": CELLS
    + """
        platform.cancel_request platform.get_mosaic_search platform.get_rejects platform.get_request_status platform.list_requests
        platform.notification_channel platform.get_lineage platform.find_by_source platform.get_statistics platform.request_statistics
        platform.retry_request
        platform.stac_search platform.submit_request platform.submit_requests platform.unpublish_request
    """,
    "gateway": """
        platform.authenticate
        platform.cancel_request platform.get_mosaic_search platform.get_rejects platform.get_request_status platform.list_requests
        platform.notification_channel platform.get_lineage platform.find_by_source platform.get_statistics platform.request_statistics
        platform.retry_request platform.stac_search platform.submit_request platform.submit_requests platform.unpublish_request
    """,
    "reader": CELLS,
    "stranger": "",
    "worker": CELLS
    + """
        app.advance_job_stage app.cancel_job app.check_job_completion app.claim_tasks app.clock app.complete_task_and_check_stage
        app.fail_task app.heartbeat app.hold_task app.increment_task_retry_count app.is_idle app.janitor_due app.list_jobs
        app.pause_client app.pause_task_type app.problem app.raise_problems app.redrive_task app.register_worker app.release_tasks
        app.require_read_committed app.resume_client app.resume_task_type app.retry_job app.run_janitor app.schedule_job app.set_cap
        app.stac_delete_collection app.stac_delete_items app.stac_discard_items app.stac_ensure_collection app.stac_register_search
        app.stac_retire_items app.stac_shown_items
        platform.busy_requests platform.disagreements platform.mend_catalogue platform.shown_files
        app.stac_upsert_collection app.stac_upsert_items app.stac_withdraw app.stage_errors app.stage_results app.submit_job
        app.report_probe app.submit_job_with_options app.turn app.unschedule_job app.why app.worker_contract
        geo.geometry_problem geo.has_long_edge geo.settle_geometry geo.wrap_longitude
        geo.update_updated_at_column h3.grid_checksum h3.publish_run h3.roll_up h3.update_updated_at_column h3.withdraw_runs
        platform.begin_delivery platform.begin_delivery_v2 platform.measured_revision platform.record_failed_call
        platform.record_rejects platform.recorded_rejects platform.reserve_layer_table
        platform.equal_requests platform.holds_artefacts platform.release_artefacts platform.use_artefacts
        platform.equal_members platform.release_artefacts_v2 platform.show_members platform.use_member
    """,
    "admin": CELLS
    + """
        h3.drop_grid h3.grid_checksum
        app.advance_job_stage app.cancel_job app.check_job_completion app.clock app.dead_letters app.job_progress app.list_jobs
        app.metrics app.pause_client app.pause_task_type app.queue_health app.redrive_task app.resume_client
        app.resume_task_type app.retention_policy app.retry_job app.run_janitor app.running_tasks app.schedule_job
        app.set_cap app.set_retention app.stage_errors app.stage_results app.stuck_jobs app.submit_job app.submit_job_with_options
        app.throughput app.transactions app.unschedule_job app.waiting app.why platform.allow_source_root platform.create_client
        platform.disagreements
        platform.create_api_key platform.configure_client platform.health platform.list_api_keys platform.usage
        platform.list_deliveries platform.redeliver_webhook
        platform.revoke_api_key platform.rotate_api_key platform.rotate_webhook_secret platform.set_webhook_secret
    """,
    # Its own, which clients call, and what those call that does not act for the owner.
    "api": """
        app.cancel_job app.canonical_json app.clock app.problem app.raise_problems app.sha256_hex app.stac_register_search
        platform.cancel_request
        platform.cancel_waiting platform.may_write_table platform.require_unshared platform.sharers
        platform.check_config platform.check_request platform.content_hash platform.current_client platform.decide_resubmission
        platform.get_mosaic_search platform.get_rejects platform.get_request_status platform.infer_request_type
        platform.list_requests platform.measured_source_problems platform.name_request platform.present_hash
        app.require_no_stand_in app.require_read_committed
        platform.get_statistics platform.grid_problems platform.request_statistics platform.start_statistics platform.statistics_document
        platform.begin_submission platform.keep_notify_token platform.notification_channel platform.get_lineage
        platform.find_by_source platform.record_call
        platform.record_submission platform.refuse platform.require_quota
        platform.request_id platform.request_progress platform.request_outlook platform.require_previous_version
        platform.require_client platform.begin_call
        platform.require_ended platform.require_limit platform.require_request platform.reserve_table platform.retry_request
        platform.search_items platform.slug platform.source_path_problems platform.source_problems platform.stac_search
        platform.start_jobs platform.start_revision platform.start_unpublish platform.status_document platform.submit_checked
        platform.submit_request platform.submit_requests platform.table_holder platform.text_problem platform.unpublish_document
        platform.unpublish_request platform.warning
    """,
}  # fmt: skip

READS, WRITES = "SELECT", "SELECT INSERT UPDATE DELETE"
H3 = "h3.reference_filters h3.filter_parts h3.grid_metadata h3.zonal_runs h3.zonal_statistics h3.zonal_categories"
TABLES: Mapping[Role, Mapping[str, str]] = {
    # What row-level security leaves of it: tests/pgtap/h3/policies.
    "client": {H3: READS, "h3.cells h3.statistics h3.categories": READS},
    "gateway": {},
    "stranger": {},
    "reader": {H3: READS, "h3.cells h3.statistics h3.categories": READS},
    "worker": {H3: WRITES, "h3.grids": WRITES},
    "admin": {
        "app.api_requests app.archived_jobs app.janitor_runs app.jobs app.parked_stages app.paused_clients app.paused_task_types": READS,
        "app.call_hours app.probes app.ready_floors": READS,
        "app.capped_stages app.caps app.ready_stages app.slots app.task_statistics": READS,
        "app.schedules app.schema_deployments app.stages app.task_errors app.task_results app.tasks app.workers": READS,
        "platform.rebuilds platform.requests platform.webhook_deliveries": READS,
        "platform.key_events platform.webhook_endpoints platform.outcomes platform.outcome_hours": READS,
        H3: READS,
        "h3.grids h3.cells h3.statistics h3.categories": READS,
    },
    "api": {
        "platform.clients platform.outcomes platform.source_roots platform.rejects platform.artefact_uses platform.member_uses": READS,
        "platform.requests": "SELECT INSERT UPDATE",
        "platform.request_jobs platform.geo_tables": "SELECT INSERT",
        "pgstac.items pgstac.collections pgstac.base_items pgstac.partition_stats pgstac.queryables pgstac.queryable_wrappers": READS,
        "pgstac.cql2_ops pgstac.pgstac_settings pgstac.search_wheres": READS,
    },
}

USES: Mapping[Role, str] = {
    "worker": "app platform geo h3",
    "client": "platform geo h3",
    "gateway": "platform",
    "admin": "app platform geo h3",
    "reader": "geo h3",
    "api": "app platform pgstac",
    "stranger": "",
}
CREATES: Mapping[Role, str] = {role: "geo" if role == "worker" else "" for role in ROLES}

# Not even what is theirs to call lets them do these.
HACKS: Mapping[str, str] = {
    "a table in public": "CREATE TABLE public.mine (x integer)",
    "a function in public": "CREATE FUNCTION public.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "a table in app": "CREATE TABLE app.mine (x integer)",
    "a function in app": "CREATE FUNCTION app.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "a table in platform": "CREATE TABLE platform.mine (x integer)",
    "a table in pgstac": "CREATE TABLE pgstac.mine (x integer)",
    "a schema": "CREATE SCHEMA mine",
    "an extension": "CREATE EXTENSION dblink",
    "a role": "CREATE ROLE geomill_test_mine",
    "a group": "GRANT geomill_admin TO CURRENT_USER",
    "another's function": "CREATE OR REPLACE FUNCTION app.clock() RETURNS timestamptz LANGUAGE sql AS 'SELECT now()'",
    "another's settings": "ALTER FUNCTION app.clock() SET search_path = public",
    "another's owner": "ALTER FUNCTION app.clock() OWNER TO CURRENT_USER",
    "the end of a function": "DROP FUNCTION app.clock()",
    "a wider table": "ALTER TABLE app.jobs ADD COLUMN mine integer",
    "a trigger": "CREATE TRIGGER mine BEFORE UPDATE ON app.jobs FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
    "a rule": "CREATE RULE mine AS ON UPDATE TO app.jobs DO INSTEAD NOTHING",
    "an open policy": "CREATE POLICY mine ON platform.requests USING (true)",
    "no policies": "ALTER TABLE platform.requests DISABLE ROW LEVEL SECURITY",
    "the end of a table": "DROP TABLE app.jobs",
    "the end of a schema": "DROP SCHEMA app CASCADE",
    "a lock on the claim path": "LOCK TABLE app.tasks IN ACCESS EXCLUSIVE MODE",
    "another's defaults": "ALTER DEFAULT PRIVILEGES FOR ROLE geomill_owner GRANT EXECUTE ON FUNCTIONS TO PUBLIC",
    "an event trigger": "CREATE EVENT TRIGGER mine ON ddl_command_start EXECUTE FUNCTION pg_catalog.suppress_redundant_updates_trigger()",
    "no triggers": "SET session_replication_role = replica",
    "the superuser": "SET SESSION AUTHORIZATION postgres",
    "a file": "SELECT pg_read_file('/etc/hostname')",
    "a file to write": "COPY (SELECT 1) TO '/tmp/geomill_test_mine'",
    "a program": "COPY (SELECT 1) TO PROGRAM 'true'",
    "the server's settings": "SET log_statement = 'all'",
    "the server's reload": "SELECT pg_reload_conf()",
    "others' passwords": "SELECT rolpassword FROM pg_authid",
}


TRAP = "CREATE FUNCTION {} RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped as %', current_user; END $$"


@dataclass(frozen=True)
class Logins:
    """A database, and a login for each role: a member of the group, or of nothing."""

    database: Database
    names: Mapping[Role, str]
    password: str

    @contextmanager
    def acting_as(self, role: Role) -> Iterator[psycopg.Connection[Any]]:
        """A transaction of that login, rolled back at the end."""
        host = urlsplit(self.database.dsn())
        with psycopg.connect(
            host=host.hostname, port=host.port, dbname=self.database.name, user=self.names[role], password=self.password
        ) as connection:
            yield connection
            connection.rollback()

    def refused(self, role: Role, statement: str | sql.Composed) -> bool:
        """Whether a statement fails for want of a right. Whatever else it does is undone."""
        with self.acting_as(role) as connection:
            return refused(connection, statement)


def refused(connection: psycopg.Connection[Any], statement: str | sql.Composed) -> bool:
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(statement.encode() if isinstance(statement, str) else statement)
    except errors.InsufficientPrivilege:
        return True
    except psycopg.Error:
        return False
    return False


@pytest.fixture(scope="module")
def logins(server: Server, module_database: Database) -> Iterator[Logins]:
    password = uuid.uuid4().hex
    names: dict[Role, str] = {role: f"geomill_test_{role}_{uuid.uuid4().hex[:8]}" for role in ROLES}
    with psycopg.connect(server.superuser_dsn, autocommit=True) as connection:
        for role, name in names.items():
            group = sql.SQL("") if role == "stranger" else sql.SQL(" IN ROLE {}").format(sql.Identifier(f"geomill_{role}"))
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), sql.Literal(password)) + group)
        try:
            yield Logins(module_database, names, password)
        finally:
            for name in names.values():
                with module_database.connect() as inside:
                    inside.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
                connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.mark.parametrize("role", ROLES)
class TestEachRole:
    def test_executes_these_functions_and_no_others(self, logins: Logins, role: Role) -> None:
        with logins.database.connect() as connection:
            rows = connection.execute(
                """
                SELECT p.pronamespace::regnamespace || '.' || p.proname
                  FROM pg_proc AS p
                 WHERE p.pronamespace::regnamespace::text = ANY (%s) AND has_function_privilege(%s, p.oid, 'EXECUTE')
                """,
                [OURS, logins.names[role]],
            )
            assert {row[0] for row in rows} == set(EXECUTES[role].split())

    def test_does_this_to_tables_and_nothing_else(self, logins: Logins, role: Role) -> None:
        allowed = {
            (table, privilege)
            for tables, privileges in TABLES[role].items()
            for table in tables.split()
            for privilege in privileges.split()
        }
        with logins.database.connect() as connection:
            tables = connection.execute(
                """
                SELECT n.nspname, c.relname, min(a.attname), c.relkind
                  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
                  JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND a.attgenerated = '' AND a.attidentity = ''
                 WHERE n.nspname = ANY (%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                 GROUP BY n.nspname, c.relname, c.relkind
                """,
                [[*OURS, "pgstac"]],
            ).fetchall()
        assert len(tables) > 40
        done = set()
        with logins.acting_as(role) as connection:
            for schema, name, column, kind in tables:
                table, some = sql.Identifier(schema, name), sql.Identifier(column)
                tried = {
                    "SELECT": sql.SQL("SELECT FROM {} LIMIT 0").format(table),
                    "INSERT": sql.SQL("INSERT INTO {} ({}) SELECT NULL WHERE false").format(table, some),
                    "UPDATE": sql.SQL("UPDATE {} SET {} = DEFAULT WHERE false").format(table, some),
                    "DELETE": sql.SQL("DELETE FROM {} WHERE false").format(table),
                    "TRUNCATE": sql.SQL("TRUNCATE {}").format(table),
                }
                if kind == "v":
                    tried = {"SELECT": tried["SELECT"]}
                done |= {(f"{schema}.{name}", privilege) for privilege, statement in tried.items() if not refused(connection, statement)}
        assert done == allowed

    def test_has_no_right_on_a_column_or_a_sequence_alone(self, logins: Logins, role: Role) -> None:
        with logins.database.connect() as connection:
            columns = connection.execute(
                """
                SELECT c.oid::regclass::text, p.privilege
                  FROM pg_class AS c CROSS JOIN unnest('{SELECT,INSERT,UPDATE,REFERENCES}'::text[]) AS p (privilege)
                 WHERE c.relnamespace::regnamespace::text = ANY (%(schemas)s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
                   AND has_any_column_privilege(%(role)s, c.oid, p.privilege) AND NOT has_table_privilege(%(role)s, c.oid, p.privilege)
                """,
                {"schemas": OURS, "role": logins.names[role]},
            ).fetchall()
            sequences = connection.execute(
                """
                SELECT c.oid::regclass::text
                  FROM pg_class AS c
                 WHERE c.relnamespace::regnamespace::text = ANY (%(schemas)s)
                   AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege(%(role)s, c.oid, 'USAGE, SELECT, UPDATE') ELSE false END
                """,
                {"schemas": [*OURS, "pgstac"], "role": logins.names[role]},
            ).fetchall()
        assert columns == []
        assert sequences == []

    @pytest.mark.parametrize(("privilege", "expected"), [("USAGE", USES), ("CREATE", CREATES)])
    def test_uses_and_creates_in_these_schemas(self, logins: Logins, role: Role, privilege: str, expected: Mapping[Role, str]) -> None:
        public = {"public"} if privilege == "USAGE" else set()
        with logins.database.connect() as connection:
            rows = connection.execute(
                "SELECT n.nspname FROM pg_namespace AS n WHERE n.nspname = ANY (%s) AND has_schema_privilege(%s, n.oid, %s)",
                [list(SCHEMAS), logins.names[role], privilege],
            )
            assert {row[0] for row in rows} == set(expected[role].split()) | public

    def test_becomes_nobody_else(self, logins: Logins, role: Role) -> None:
        with logins.database.connect() as connection:
            others = [row[0] for row in connection.execute("SELECT rolname FROM pg_roles WHERE rolname <> %s", [f"geomill_{role}"])]
        become = set()
        with logins.acting_as(role) as connection:
            for other in others:
                if not refused(connection, sql.SQL("SET ROLE {}").format(sql.Identifier(other))):
                    become.add(other)
        assert become == {logins.names[role]}

    @pytest.mark.parametrize("hack", HACKS)
    def test_cannot_have(self, logins: Logins, role: Role, hack: str) -> None:
        assert logins.refused(role, HACKS[hack])

    def test_row_security_cannot_be_left_out(self, logins: Logins, role: Role) -> None:
        assert logins.refused(role, "SET LOCAL row_security = off; SELECT count(*) FROM platform.requests")


class TestWhatIsMadeLater:
    """Default privileges: nothing that our roles make later is open to strangers, not even for a moment."""

    @pytest.mark.parametrize("schema", OURS)
    @pytest.mark.parametrize("maker", ["geomill_owner", "geomill_worker", "geomill_api"])
    def test_is_closed_to_everybody(self, logins: Logins, schema: str, maker: str) -> None:
        with logins.database.connect(autocommit=False) as connection:
            connection.execute(sql.SQL("GRANT CREATE, USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema), sql.Identifier(maker)))
            connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(maker)))
            names = {kind: sql.Identifier(schema, f"later_{kind}") for kind in ("table", "view", "sequence", "function", "procedure")}
            connection.execute(sql.SQL("CREATE TABLE {} (x integer)").format(names["table"]))
            connection.execute(sql.SQL("CREATE VIEW {} AS SELECT 1 AS x").format(names["view"]))
            connection.execute(sql.SQL("CREATE SEQUENCE {}").format(names["sequence"]))
            connection.execute(sql.SQL("CREATE FUNCTION {}() RETURNS integer LANGUAGE sql AS 'SELECT 1'").format(names["function"]))
            connection.execute(sql.SQL("CREATE PROCEDURE {}() LANGUAGE sql AS 'SELECT 1'").format(names["procedure"]))
            connection.execute("RESET ROLE")
            others = [name for role, name in logins.names.items() if f"geomill_{role}" != maker]
            open_to = connection.execute(
                """
                SELECT c.relname, r.name
                  FROM pg_class AS c CROSS JOIN unnest(%(others)s::text[]) AS r (name)
                 WHERE c.relnamespace = %(schema)s::regnamespace AND c.relname LIKE 'later%%'
                   AND CASE c.relkind WHEN 'S' THEN has_sequence_privilege(r.name, c.oid, 'USAGE, SELECT, UPDATE')
                       ELSE has_table_privilege(r.name, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER') END
                UNION ALL
                SELECT p.proname, r.name
                  FROM pg_proc AS p CROSS JOIN unnest(%(others)s::text[]) AS r (name)
                 WHERE p.pronamespace = %(schema)s::regnamespace AND p.proname LIKE 'later%%'
                   AND has_function_privilege(r.name, p.oid, 'EXECUTE')
                """,
                {"schema": schema, "others": others},
            ).fetchall()
            connection.rollback()
        assert open_to == []


class TestTricks:
    """Objects that a caller puts where an unqualified name would find them first."""

    def test_every_function_pins_its_search_path(self, module_database: Database) -> None:
        with module_database.connect() as connection:
            rows = connection.execute(
                """
                SELECT DISTINCT setting
                  FROM pg_proc AS p
                  LEFT JOIN LATERAL (SELECT s FROM unnest(p.proconfig) AS s WHERE s LIKE 'search_path=%%') AS c (setting) ON true
                 -- A body that was bound when it was made looks up nothing.
                 WHERE p.pronamespace::regnamespace::text = ANY (%s) AND p.prosqlbody IS NULL
                """,
                [OURS],
            )
            assert {row[0] for row in rows} == {"search_path=pg_catalog, pg_temp", "search_path=pgstac, public, pg_temp"}

    def test_temporary_objects_and_a_search_path_of_ones_own_change_no_answer(self, database: Database) -> None:
        asked = "SELECT status, created, revision FROM platform.submit_request('d', 'r', 'v', '/srv/hub/x.gpkg', dry_run => true)"
        with database.connect() as connection:
            connection.execute("SELECT platform.allow_source_root('ddh_v1', '/srv/hub/')")
        with database.connect("ddh", autocommit=False) as connection:
            straight = connection.execute(asked).fetchall()
            for table in ("clients", "requests", "source_roots", "jobs", "job_types", "pg_class", "pg_roles", "pg_proc", "items"):
                connection.execute(sql.SQL("CREATE TEMPORARY TABLE {} (client_id text, login_role text)").format(sql.Identifier(table)))
            for function in ("now()", "lower(text)", "jsonb_typeof(jsonb)", "sha256(bytea)", "current_client()", "trap(text, text)"):
                connection.execute(sql.SQL(TRAP).format(sql.SQL("pg_temp.") + sql.SQL(function)))
            connection.execute("CREATE OPERATOR pg_temp.= (FUNCTION = pg_temp.trap, LEFTARG = text, RIGHTARG = text)")
            connection.execute("SET LOCAL search_path = pg_temp, pg_catalog, platform")
            assert connection.execute(asked).fetchall() == straight
            connection.rollback()

    @pytest.mark.parametrize(
        "made",
        [
            "TABLE items (id text)",
            "VIEW items AS SELECT NULL::text AS id",
            "TABLE pg_class (oid oid)",
            "DOMAIN pg_temp.text AS varchar(1)",
            "DOMAIN pg_temp.geometry AS public.geometry",
        ],
    )
    def test_a_search_takes_nothing_of_the_callers_for_pgstacs(self, database: Database, made: LiteralString) -> None:
        """pgstac's own functions look into pg_temp first: a view there ran with the API role's rights."""
        search = "SELECT platform.stac_search('{}') -> 'features'"
        with database.connect("ddh", autocommit=False) as connection:
            connection.execute("CREATE TEMPORARY TABLE of_no_matter (id integer)")
            assert connection.execute(search).fetchone() == ([],)
            temporary = made if made.startswith("DOMAIN") else f"TEMPORARY {made}"
            connection.execute(sql.SQL("CREATE ") + sql.SQL(temporary))
            with pytest.raises(psycopg.DatabaseError, match="would take for its own"):
                connection.execute(search)

    @pytest.mark.parametrize("call", ["app.stac_register_search('ddh_vectors')", 'app.stac_ensure_collection(\'{"id": "ddh_x"}\')'])
    def test_nor_does_what_writes_the_catalogue_as_its_owner(self, database: Database, call: LiteralString) -> None:
        with database.connect("worker", autocommit=False) as connection:
            connection.execute("CREATE TEMPORARY TABLE searches (search jsonb)")
            with pytest.raises(psycopg.DatabaseError, match="would take for its own"):
                connection.execute(sql.SQL("SELECT ") + sql.SQL(call))

    @pytest.mark.parametrize("type_", ["text", "jsonb", "timestamptz", "bytea", "record", "regclass"])
    def test_a_type_of_ones_own_stands_in_for_none(self, database: Database, type_: str) -> None:
        asked = "SELECT status, created, revision FROM platform.submit_request('d', 'r', 'v', '/srv/hub/x.gpkg', dry_run => true)"
        with database.connect() as connection:
            connection.execute("SELECT platform.allow_source_root('ddh_v1', '/srv/hub/')")
        with database.connect("ddh", autocommit=False) as connection:
            connection.execute(sql.SQL("CREATE DOMAIN pg_temp.{} AS varchar(1)").format(sql.Identifier(type_)))
            assert connection.execute(asked).fetchall() == [("pending", False, 1)]
            connection.rollback()

    def test_a_login_that_begins_as_a_clients_is_not_that_client(self, logins: Logins) -> None:
        """`session_user::text`, cut by a domain of the caller's to the length of another's login, was that other."""
        attacker = logins.names["client"]
        victim = attacker[:-2]
        with logins.database.connect() as connection:
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN IN ROLE geomill_client").format(sql.Identifier(victim)))
            try:
                connection.execute("SELECT platform.create_client('victim_v1', %s, 'victim', 'Victim')", [victim])
                with logins.acting_as("client") as attack:
                    attack.execute(sql.SQL("CREATE DOMAIN pg_temp.text AS varchar({})").format(sql.Literal(len(victim))))
                    with pytest.raises(psycopg.DatabaseError, match="is no active client"):
                        attack.execute("SELECT * FROM platform.list_requests()")
            finally:
                connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(victim)))

    def test_what_workers_make_in_geo_runs_as_nobody_else(self, database: Database) -> None:
        """Workers may create in geo: an operator of theirs must not run inside the owner's functions."""
        with database.connect("worker", autocommit=False) as connection:
            for type_ in map(sql.SQL, ("text", "bigint", "integer")):
                connection.execute(sql.SQL(TRAP).format(sql.SQL("geo.trap({0}, {0})").format(type_)))
                connection.execute(sql.SQL("CREATE OPERATOR geo.= (FUNCTION = geo.trap, LEFTARG = {0}, RIGHTARG = {0})").format(type_))
            connection.execute("SET LOCAL search_path = geo, pg_catalog")
            with pytest.raises(errors.RaiseException, match="trapped as geomill_worker"), connection.transaction():
                connection.execute("SELECT 'a'::text = 'b'::text")
            connection.execute("""SELECT app.submit_job('hello_world', '{"n": 2}')""")
            assert len(connection.execute("SELECT task_id FROM app.turn('trap-1', '[]', NULL, 1)").fetchall()) == 1
            connection.rollback()


def test_the_roles_themselves_can_nothing_special(module_database: Database) -> None:
    """No attribute that would lead around rights and policies; and who is in whom, completely."""
    with module_database.connect() as connection:
        special = connection.execute(
            """
            SELECT rolname FROM pg_roles
             WHERE rolname ~ '^geomill_(owner|api|worker|client|gateway|admin|reader)$'
               AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)
            """
        ).fetchall()
        groups = connection.execute(
            """
            SELECT m.member::regrole::text, m.roleid::regrole::text
              FROM pg_auth_members AS m
             WHERE m.member::regrole::text ~ '^geomill_(owner|api|worker|client|gateway|admin|reader)$'
            """
        ).fetchall()
    assert special == []
    assert set(groups) == {
        ("geomill_owner", "geomill_worker"),
        ("geomill_owner", "geomill_api"),
        ("geomill_owner", "pg_signal_backend"),
        ("geomill_owner", "pg_read_all_stats"),
        ("geomill_owner", "pgstac_admin"),
    }
