-- Do the functions of schema h3 agree with the extension h3 (h3-pg, from 4.1 on)? A row for each function: how many answers were
-- compared, how many differ, and one that does. Where any differs, the end is an error.
--
--   make -s psql ROLE=superuser ARGS="-f ops/h3_agreement.sql"
--
-- Nothing is left behind: the extension is made, where the database does not have it, by the transaction that is rolled back.
-- Cells are random ones of every resolution (`-v cells=10000`: so many of each, and `-v seed=0.5`: others), all base cells, and all
-- pentagons with their neighbours and children. For what is no cell: bits flipped, edges, vertices, what is missing below pentagons.
\set ON_ERROR_STOP on
\set QUIET on
\if :{?cells} \else \set cells 100 \endif
\if :{?seed} \else \set seed 0.8 \endif
BEGIN;
SET LOCAL client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS h3 SCHEMA public;
SELECT set_config('search_path', quote_ident(n.nspname), true) AS extension_schema, setseed(:seed)
  FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'h3' \gset

-- What h3-pg takes for a cell, so that a mistake in h3.is_valid hides nothing.
CREATE TEMPORARY TABLE cells ON COMMIT DROP AS
WITH drawn AS (
    SELECT (1::bigint << 59) | (r.resolution::bigint << 52) | (floor(random() * 122)::bigint << 45)
           | coalesce((SELECT sum(floor(random() * 7)::bigint << (3 * (15 - d.place))) FROM generate_series(1, r.resolution) AS d (place)), 0)::bigint
           | ((1::bigint << (3 * (15 - r.resolution))) - 1) AS cell
      FROM generate_series(0, 15) AS r (resolution) CROSS JOIN generate_series(1, :cells)
), pentagons AS (
    SELECT h3_get_pentagons(r.resolution) AS cell, r.resolution FROM generate_series(0, 15) AS r (resolution)
)
SELECT DISTINCT c.cell::bigint AS cell, h3_get_resolution(c.cell) AS resolution
  FROM (SELECT d.cell::h3index AS cell FROM drawn AS d WHERE h3_is_valid_cell(d.cell::h3index) UNION ALL
        SELECT h3_get_res_0_cells() UNION ALL
        SELECT h3_grid_disk(p.cell, 1) FROM pentagons AS p UNION ALL
        SELECT h3_cell_to_children(p.cell, p.resolution + 1) FROM pentagons AS p WHERE p.resolution < 15) AS c;

CREATE TEMPORARY TABLE numbers ON COMMIT DROP AS
WITH sample AS (
    SELECT c.cell FROM (SELECT x.cell, row_number() OVER (PARTITION BY x.resolution ORDER BY random()) AS n FROM cells AS x) AS c WHERE c.n <= 20
)
SELECT DISTINCT n.number
  FROM (SELECT c.cell AS number FROM cells AS c UNION ALL
        SELECT s.cell # (1::bigint << b.place) FROM sample AS s CROSS JOIN generate_series(0, 63) AS b (place) UNION ALL
        SELECT s.cell # (1::bigint << floor(random() * 64)::integer) # (1::bigint << floor(random() * 64)::integer) FROM sample AS s UNION ALL
        SELECT floor(random() * 4294967296)::bigint << 32 | floor(random() * 4294967296)::bigint FROM generate_series(1, 1000) UNION ALL
        SELECT h3_origin_to_directed_edges(s.cell::h3index)::bigint FROM sample AS s UNION ALL
        SELECT h3_cell_to_vertexes(s.cell::h3index)::bigint FROM sample AS s UNION ALL
        -- The middle descendant of a pentagon, with a 1 for one of its new digits.
        SELECT h3_cell_to_center_child(p.cell, f.finer)::bigint | (1::bigint << (3 * (15 - d.place)))
          FROM generate_series(0, 14) AS r (resolution) CROSS JOIN LATERAL h3_get_pentagons(r.resolution) AS p (cell)
         CROSS JOIN LATERAL generate_series(r.resolution + 1, 15) AS f (finer)
         CROSS JOIN LATERAL generate_series(r.resolution + 1, f.finer) AS d (place) UNION ALL
        VALUES (0), (-1), (9223372036854775807), (-9223372036854775807 - 1)) AS n;

CREATE TEMPORARY TABLE agreement ON COMMIT DROP AS
WITH RECURSIVE last_children AS (
    SELECT c.cell, c.cell AS last, c.resolution FROM cells AS c
    UNION ALL
    SELECT l.cell, (SELECT max(k.child::bigint) FROM h3_cell_to_children(l.last::h3index, l.resolution + 1) AS k (child)), l.resolution + 1
      FROM last_children AS l WHERE l.resolution < 15
), answers AS (
    SELECT 'h3.is_valid' AS function, n.number, NULL::integer AS other, h3.is_valid(n.number)::text AS ours, h3_is_valid_cell(n.number::h3index)::text AS theirs FROM numbers AS n
    UNION ALL SELECT 'h3.to_text', n.number, NULL, h3.to_text(n.number), n.number::h3index::text FROM numbers AS n
    UNION ALL SELECT 'h3.from_text', n.number, NULL, h3.from_text(n.number::h3index::text)::text, n.number::text FROM numbers AS n
    UNION ALL SELECT 'h3.from_text', n.number, NULL, h3.from_text(upper(n.number::h3index::text))::text, upper(n.number::h3index::text)::h3index::bigint::text FROM numbers AS n
    UNION ALL SELECT 'h3.resolution', c.cell, NULL, h3.resolution(c.cell)::text, c.resolution::text FROM cells AS c
    UNION ALL SELECT 'h3.base_cell', c.cell, NULL, h3.base_cell(c.cell)::text, h3_get_base_cell_number(c.cell::h3index)::text FROM cells AS c
    UNION ALL SELECT 'h3.is_pentagon', c.cell, NULL, h3.is_pentagon(c.cell)::text, h3_is_pentagon(c.cell::h3index)::text FROM cells AS c
    UNION ALL SELECT 'h3.is_pentagon_base', b.cell::bigint, NULL, h3.is_pentagon_base(h3_get_base_cell_number(b.cell))::text, h3_is_pentagon(b.cell)::text FROM h3_get_res_0_cells() AS b (cell)
    UNION ALL SELECT 'h3.parent', c.cell, r.coarser, h3.parent(c.cell, r.coarser)::text, h3_cell_to_parent(c.cell::h3index, r.coarser)::bigint::text
                FROM cells AS c CROSS JOIN LATERAL generate_series(0, c.resolution) AS r (coarser)
    UNION ALL SELECT 'h3.first_child', c.cell, r.finer, h3.first_child(c.cell, r.finer)::text, h3_cell_to_center_child(c.cell::h3index, r.finer)::bigint::text
                FROM cells AS c CROSS JOIN LATERAL generate_series(c.resolution, 15) AS r (finer)
    UNION ALL SELECT 'h3.last_child', l.cell, l.resolution, h3.last_child(l.cell, l.resolution)::text, l.last::text FROM last_children AS l
    UNION ALL SELECT 'h3.child_count', l.cell, l.resolution, h3.child_count(l.cell, l.resolution)::text,
                     (h3_cell_to_child_pos(l.last::h3index, h3_get_resolution(l.cell::h3index)) + 1)::text FROM last_children AS l
    UNION ALL SELECT 'h3.children', c.cell, r.finer, ARRAY(SELECT k FROM h3.children(c.cell, r.finer) AS k ORDER BY 1)::text,
                     ARRAY(SELECT k::bigint FROM h3_cell_to_children(c.cell::h3index, r.finer) AS k ORDER BY 1)::text
                FROM cells AS c CROSS JOIN LATERAL generate_series(c.resolution, least(c.resolution + 2, 15)) AS r (finer)
)
SELECT a.function, count(*) AS compared, count(*) FILTER (WHERE a.ours IS DISTINCT FROM a.theirs) AS different,
       left(min(format('%s(%s): %s here, %s there', a.function, concat_ws(', ', a.number, a.other), coalesce(a.ours, 'NULL'), coalesce(a.theirs, 'NULL')))
                FILTER (WHERE a.ours IS DISTINCT FROM a.theirs), 200) AS example
  FROM answers AS a GROUP BY a.function;

SELECT h3_get_extension_version() AS "h3-pg", count(*) AS cells FROM cells;
TABLE agreement ORDER BY function;
DO $$
BEGIN
    IF EXISTS (SELECT FROM agreement AS a WHERE a.different > 0) THEN
        RAISE EXCEPTION 'schema h3 and the extension h3 do not agree' USING HINT = 'Report it, with the rows above.';
    END IF;
END;
$$;
ROLLBACK;
