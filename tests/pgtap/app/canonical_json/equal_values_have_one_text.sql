BEGIN;
SELECT plan(4);
SELECT is(app.canonical_json('{"b": 1.50, "a": [1.0, true, null, "x"]}'), '{"a":[1,true,null,"x"],"b":1.5}');
SELECT is(app.canonical_json('{}'), '{}');
SELECT is(app.canonical_json('[]'), '[]');
SELECT is(app.canonical_json('"e\u0301"'), app.canonical_json('"\u00e9"'));
SELECT * FROM finish();
ROLLBACK;
