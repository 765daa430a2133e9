"""How a table is published, replaced, refused, and discarded; what its client and others see of it."""

from __future__ import annotations

import threading
import uuid
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from tests.py.support.waiting import wait_for
from tests.py.vector.conftest import Mill


def relations(mill: Mill, table: str) -> set[str]:
    rows = mill.rows(
        """
        SELECT c.relname FROM pg_class AS c
         WHERE c.relnamespace = 'geo'::regnamespace
           AND (c.oid = to_regclass(%(t)s) OR c.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = to_regclass(%(t)s))
                OR c.oid = pg_get_serial_sequence(%(t)s, 'objectid')::regclass)
        """.replace("%(t)s", "%s"),
        *[table] * 3,
    )
    return {row["relname"] for row in rows}


def test_everything_is_named_after_the_table(mill: Mill) -> None:
    done = mill.ingest(mill.place("nc.gpkg"), table_name="named_counties", indexes=["name"])
    indexed = ("geom", "stac_item_id", "stac_collection_id", "etl_job_id", "created_at", "name")
    assert relations(mill, done.table) == {
        "named_counties",
        "named_counties_pkey",
        "named_counties_objectid_seq",
        *(f"idx_named_counties_{column}" for column in indexed),
    }
    [trigger] = mill.rows("SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass", done.table)
    assert trigger["tgname"] == "trg_named_counties_updated_at"
    mill.rows("UPDATE geo.named_counties SET name = name WHERE objectid = 1 RETURNING 1")
    assert done.value("count(*) FILTER (WHERE updated_at > created_at)") == 1
    [owner] = mill.rows("SELECT pg_get_userbyid(relowner) AS owner FROM pg_class WHERE oid = %s::regclass", done.table)
    assert owner["owner"] == "geomill_worker"


def test_another_workers_login_replaces_what_one_published(mill: Mill, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables belong to the group, whichever login made them: each worker can replace and remove them."""
    login, password = f"geomill_test_{uuid.uuid4().hex[:12]}", uuid.uuid4().hex
    role = sql.Identifier(login)
    mill.superuser.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE geomill_worker").format(role, sql.Literal(password)))
    try:
        server = urlsplit(mill.database.dsn())
        with monkeypatch.context() as patch:
            patch.setenv("GEOMILL_DSN_WORKER", f"postgresql://{login}:{password}@{server.hostname}:{server.port}/{mill.database.name}")
            first = mill.ingest(mill.place("nc.gpkg"), dataset="handed_over")
        owned = mill.rows("SELECT FROM pg_class WHERE relnamespace = 'geo'::regnamespace AND relowner = %s::regrole", login)
        assert owned == []
        second = mill.ingest(mill.place("naturalearth_lowres.shp"), dataset="handed_over", overwrite=True)
        assert second.table == first.table
        assert second.value("count(*)") == 177
    finally:
        mill.superuser.execute(sql.SQL("DROP OWNED BY {}").format(role))
        mill.superuser.execute(sql.SQL("DROP ROLE {}").format(role))


def test_who_may_read(mill: Mill) -> None:
    done = mill.ingest(mill.place("nc.gpkg"))
    with mill.database.connect("reader") as reader:
        assert reader.execute(sql.SQL("SELECT count(*) FROM {}").format(done.relation)).fetchone() == (100,)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        mill.ddh.execute(sql.SQL("DELETE FROM {}").format(done.relation))


def test_arcgis_mode(mill: Mill) -> None:
    done = mill.ingest(mill.place("nc.gpkg"), arcgis_mode=True)
    assert done.value("count(shape)") == 100
    assert done.report["geometry_column"] == "shape"
    assert done.status["stac_metadata"]["properties"]["table:primary_geometry"] == "shape"


def test_overwrite_replaces_the_table(mill: Mill) -> None:
    first = mill.ingest(mill.place("nc.gpkg"), dataset="replaced")
    second = mill.ingest(mill.place("naturalearth_lowres.shp"), dataset="replaced", overwrite=True)
    assert (second.request_id, second.table) == (first.request_id, first.table)
    assert second.value("count(*)") == 177
    assert not [name for name in relations(mill, second.table) if "load" in name]
    assert mill.leftovers() == []


def test_readers_delay_the_swap_and_see_the_old_table(mill: Mill) -> None:
    done = mill.ingest(mill.place("nc.gpkg"), dataset="busy")
    mill.submit(mill.place("naturalearth_lowres.shp"), dataset="busy", overwrite=True)
    with mill.database.connect("reader", autocommit=False) as reader:
        query = sql.SQL("SELECT count(*) FROM {}").format(done.relation)
        assert reader.execute(query).fetchone() == (100,)
        worker = threading.Thread(target=mill.work)
        worker.start()
        waits = "SELECT FROM pg_stat_activity AS a WHERE %s = ANY (pg_blocking_pids(a.pid))"
        wait_for(lambda: mill.rows(waits, reader.info.backend_pid), interval=0.01)
        assert worker.is_alive()
        assert reader.execute(query).fetchone() == (100,)
        reader.rollback()
        worker.join(400)
        assert reader.execute(query).fetchone() == (177,)


def test_a_view_on_the_table_stands_in_the_way(mill: Mill) -> None:
    done = mill.ingest(mill.place("nc.gpkg"), dataset="viewed")
    mill.superuser.execute(sql.SQL("CREATE VIEW public.counties AS SELECT * FROM {}").format(done.relation))
    request_id = mill.submit(mill.place("naturalearth_lowres.shp"), dataset="viewed", overwrite=True)
    mill.work()
    error = mill.status(request_id)["error"]
    assert (error["code"], error["category"]) == ("TABLE_HAS_DEPENDENTS", "user")
    assert "counties" in error["message"]
    assert done.value("count(*)") == 100
    assert mill.leftovers() == []
    mill.superuser.execute("DROP VIEW public.counties")


def test_a_strangers_table_is_never_touched(mill: Mill) -> None:
    request_id = mill.submit(mill.place("nc.gpkg"), table_name="strangers")
    mill.superuser.execute("CREATE TABLE geo.strangers (a integer)")
    mill.work()
    assert mill.status(request_id)["error"]["code"] == "TABLE_NAME_TAKEN"
    assert mill.rows("SELECT count(*) AS n FROM geo.strangers") == [{"n": 0}]
    mill.superuser.execute("DROP TABLE geo.strangers")


def test_an_index_name_that_another_table_has(mill: Mill) -> None:
    long = mill.ingest(mill.place("nc.gpkg"), table_name="clash_created", indexes=["name"])
    mill.superuser.execute("CREATE INDEX idx_clash_created_at ON geo.clash_created (objectid)")
    short = mill.ingest(mill.place("nc.gpkg"), table_name="clash")
    names = relations(mill, short.table)
    assert len(names) == 8
    assert "idx_clash_created_at" not in names
    assert any(name.startswith("idx_clash_created_at_") for name in names)
    assert "idx_clash_created_at" in relations(mill, long.table)


def test_a_cancelled_request_leaves_nothing(mill: Mill) -> None:
    request_id = mill.submit(mill.place("nc.gpkg"))
    mill.work(2)
    assert [name for name in mill.leftovers() if name.startswith("_load_")]
    mill.ddh.execute("SELECT platform.cancel_request(%s, 'no longer wanted')", (request_id,))
    mill.work()
    assert mill.leftovers() == []


def test_table_item_and_status_are_one_commit(mill: Mill) -> None:
    done = mill.ingest(mill.place("nc.gpkg"), table_name="together")
    # No subtransaction writes any of the three, so each says which transaction it was.
    [row] = mill.rows(
        """
        SELECT (SELECT c.xmin::text FROM pg_class AS c WHERE c.oid = 'geo.together'::regclass) AS "table",
               (SELECT i.xmin::text FROM pgstac.items AS i WHERE i.content #>> '{properties,geomill:request_id}' = r.request_id) AS item,
               r.xmin::text AS request
          FROM platform.requests AS r WHERE r.request_id = %s
        """,
        done.request_id,
    )
    assert row["table"] == row["item"] == row["request"]


def test_nobody_sees_a_table_before_its_item(mill: Mill) -> None:
    request_id = mill.submit(mill.place("nc.gpkg"), table_name="uncatalogued")
    mill.work(3)
    assert mill.rows("SELECT to_regclass('geo.uncatalogued') AS name") == [{"name": None}]
    mill.ddh.execute("SELECT platform.cancel_request(%s, 'no longer wanted')", (request_id,))
    mill.work()
    assert mill.leftovers() == []
    mill.ddh.execute("SELECT platform.retry_request(%s)", (request_id,))
    mill.work()
    assert mill.status(request_id)["status"] == "completed"


def test_an_index_that_cannot_be_is_refused_before_loading(mill: Mill) -> None:
    assert mill.refused(mill.place("nc.gpkg"), indexes=["nonsense"])["code"] == "INDEX_COLUMN_UNKNOWN"
