-- h3.update_updated_at_column: the trigger that keeps updated_at. h3 has its own copy: it depends on no other schema.
--
-- Guarantees  Whatever an UPDATE says of updated_at, it is the time of the change.
-- Locks       none.
CREATE OR REPLACE FUNCTION h3.update_updated_at_column()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END;
$$;
GRANT EXECUTE ON FUNCTION h3.update_updated_at_column() TO geomill_worker;
