-- h3.withdraw_runs: take back what was measured for a request, in one revision or in all up to it.
--
-- Guarantees  Repeatable. Where a version that showed goes and an earlier one is there, nothing shows in its place: what is
--             taken back is not replaced by what it had replaced. Returns how many measurements went.
-- Locks       the rows that go.
CREATE OR REPLACE FUNCTION h3.withdraw_runs(request_id text, first_revision integer, last_revision integer)
RETURNS bigint
LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
    WITH gone AS (
        DELETE FROM h3.zonal_runs AS r
         WHERE r.request_id = withdraw_runs.request_id AND r.revision BETWEEN withdraw_runs.first_revision AND withdraw_runs.last_revision
        RETURNING r.run_id
    )
    SELECT count(*) FROM gone;
$$;
