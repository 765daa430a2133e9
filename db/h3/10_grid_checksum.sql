-- h3.grid_checksum: one digest of a grid's cells at a resolution, whatever order they lie in.
--
-- The SHA-256 of the digests of its parents, in their order; a parent's is the SHA-256 of its cells, in theirs, eight bytes each.
-- So the tasks that make the parents, and this, say the same of the same cells.
--
-- Locks       none.
CREATE OR REPLACE FUNCTION h3.grid_checksum(grid_id text, resolution integer, parent_resolution integer)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT encode(sha256(coalesce(string_agg(p.digest, ''::bytea ORDER BY p.parent), '')), 'hex')
      FROM (SELECT h3.parent(g.cell, grid_checksum.parent_resolution) AS parent, sha256(string_agg(int8send(g.cell), ''::bytea ORDER BY g.cell)) AS digest
              FROM h3.grids AS g
             WHERE g.grid_id = grid_checksum.grid_id AND g.resolution = grid_checksum.resolution
             GROUP BY 1) AS p;
$$;
