INSERT INTO app.things (thing_id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c');
INSERT INTO app.parts VALUES (1);
CREATE TABLE app.theirs (part_id integer REFERENCES app.parts);
