-- The arithmetic of H3 indexes. A cell is 63 bits: 4 of mode (1: a cell), 3 reserved (0), 4 of resolution, 7 of base cell, and
-- fifteen digits of 3 bits, of which those beyond the resolution are 7. Everything here follows from that, exactly.
--
-- Centre and boundary do not: they need the projection of the icosahedron, and floating-point trigonometry that agrees with
-- the library's to the last bit. Workers compute those (workers/h3), and store them where a grid is asked for with geometry.
--
-- Guarantees  NULL for what is not there (a parent of a coarser cell, a child of a finer one). Of an index that h3.is_valid
--             refuses, the answers mean nothing. Bodies are bound when they are made, so that they need no search_path and the
--             planner can inline them.
-- Locks       none.

CREATE OR REPLACE FUNCTION h3.resolution(cell bigint)
RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ((cell >> 52) & 15)::integer;

CREATE OR REPLACE FUNCTION h3.base_cell(cell bigint)
RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ((cell >> 45) & 127)::integer;

-- The digits down to the resolution, as one octal number.
CREATE OR REPLACE FUNCTION h3.digits(cell bigint)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (cell & 35184372088831) >> (3 * (15 - ((cell >> 52) & 15)::integer));

-- Whether a base cell is one of the twelve pentagons: in each, the children of digit 1 are missing, at every resolution.
CREATE OR REPLACE FUNCTION h3.is_pentagon_base(base_cell integer)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN base_cell IN (4, 14, 24, 38, 49, 58, 63, 72, 83, 97, 107, 117);

CREATE OR REPLACE FUNCTION h3.is_pentagon(cell bigint)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN h3.is_pentagon_base(h3.base_cell(cell)) AND h3.digits(cell) = 0;

-- Whether a number is a cell. No digit in use is 7 (all three bits set); beyond the resolution all are; and below a pentagon the
-- first digit that is not 0 is not 1: then the highest bit set would be the last of a digit's three.
CREATE OR REPLACE FUNCTION h3.is_valid(cell bigint)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(
    (cell >> 56) = 8
    AND h3.base_cell(cell) <= 121
    AND (h3.digits(cell) & (h3.digits(cell) >> 1) & (h3.digits(cell) >> 2) & 5026338869833) = 0
    AND (cell & ((1::bigint << (3 * (15 - h3.resolution(cell)))) - 1)) = (1::bigint << (3 * (15 - h3.resolution(cell)))) - 1
    AND NOT (h3.is_pentagon_base(h3.base_cell(cell)) AND h3.digits(cell) <> 0 AND position(B'1' IN h3.digits(cell)::bit(45)) % 3 = 0),
    false);

-- The cell of a coarser resolution (or its own) that it belongs to.
CREATE OR REPLACE FUNCTION h3.parent(cell bigint, resolution integer)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN resolution BETWEEN 0 AND ((cell >> 52) & 15)
            THEN ((cell & ~(15::bigint << 52)) | (resolution::bigint << 52)) | ((1::bigint << (3 * (15 - resolution))) - 1) END;

-- A cell's descendants at a resolution are the cells from first_child to last_child: what belongs together lies together in any
-- index on cells, and a range finds it. The first one is the child in the middle.
CREATE OR REPLACE FUNCTION h3.first_child(cell bigint, resolution integer)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN resolution BETWEEN ((cell >> 52) & 15) AND 15
            THEN ((cell & ~(15::bigint << 52)) | (resolution::bigint << 52))
                 & ~(((1::bigint << (3 * (15 - ((cell >> 52) & 15)::integer))) - 1) # ((1::bigint << (3 * (15 - resolution))) - 1)) END;

CREATE OR REPLACE FUNCTION h3.last_child(cell bigint, resolution integer)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN h3.first_child(cell, resolution)
       | ((((1::bigint << (3 * (15 - ((cell >> 52) & 15)::integer))) - 1) # ((1::bigint << (3 * (15 - resolution))) - 1)) & 30158033218998);

-- How many descendants there are: seven of each, but six of a pentagon, of which one is a pentagon again.
CREATE OR REPLACE FUNCTION h3.child_count(cell bigint, resolution integer)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN resolution BETWEEN ((cell >> 52) & 15) AND 15
            THEN CASE WHEN h3.is_pentagon(cell)
                      THEN 1 + 5 * ((7::numeric ^ (resolution - h3.resolution(cell)))::bigint - 1) / 6
                      ELSE (7::numeric ^ (resolution - h3.resolution(cell)))::bigint END END;

CREATE OR REPLACE FUNCTION h3.children(cell bigint, resolution integer)
RETURNS SETOF bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    WITH RECURSIVE descendants AS (
        SELECT children.cell AS descendant WHERE children.resolution BETWEEN h3.resolution(children.cell) AND 15
        UNION ALL
        -- The middle child of the next resolution, with another digit in place of its last.
        SELECT h3.first_child(d.descendant, h3.resolution(d.descendant) + 1)
               | (digit.value::bigint << (3 * (14 - h3.resolution(d.descendant))))
          FROM descendants AS d CROSS JOIN generate_series(0, 6) AS digit (value)
         WHERE h3.resolution(d.descendant) < children.resolution AND NOT (digit.value = 1 AND h3.is_pentagon(d.descendant))
    )
    SELECT d.descendant FROM descendants AS d WHERE h3.resolution(d.descendant) = children.resolution;
END;

-- As people and most software write a cell: fifteen hexadecimal digits.
CREATE OR REPLACE FUNCTION h3.to_text(cell bigint)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_hex(cell);

CREATE OR REPLACE FUNCTION h3.from_text(cell text)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN cell ~ '^[0-9A-Fa-f]{1,16}$' THEN ('x' || lpad(cell, 16, '0'))::bit(64)::bigint END;
