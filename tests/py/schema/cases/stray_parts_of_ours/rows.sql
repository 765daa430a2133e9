INSERT INTO app.things (thing_id, name) VALUES (1, 'a'), (2, 'b'), (3, 'c');
ALTER TABLE app.things ADD COLUMN "a ""b" integer;
CREATE INDEX "Index of things" ON app.things ("a ""b");
ALTER TABLE app.things ADD CONSTRAINT "Check of things" CHECK ("a ""b" > 0);
COMMENT ON COLUMN app.things."a ""b" IS 'stray';
