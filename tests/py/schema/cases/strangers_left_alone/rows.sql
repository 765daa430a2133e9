INSERT INTO app.things (thing_id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c');
CREATE TABLE app."Odd ""Name" (id integer PRIMARY KEY, "a b" text);
INSERT INTO app."Odd ""Name" VALUES (1, 'x');
CREATE VIEW app.their_view AS SELECT 1 AS one;
CREATE FUNCTION app.their_function() RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE TYPE app."Their Type" AS ENUM ('a', 'b');
CREATE SEQUENCE app.their_sequence;
