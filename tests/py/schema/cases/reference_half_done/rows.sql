INSERT INTO app.things (thing_id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c');
INSERT INTO app.parts VALUES (1, 1), (2, NULL);
ALTER TABLE app.parts ADD CONSTRAINT parts_thing_id_fkey FOREIGN KEY (thing_id) REFERENCES app.things (thing_id) NOT VALID;
