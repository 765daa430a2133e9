INSERT INTO app.things (thing_id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c');
CREATE INDEX idx_things_name ON app.things (name);
UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = 'app.idx_things_name'::regclass;
