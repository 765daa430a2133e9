BEGIN;
SELECT plan(10);
SELECT is(h3.to_text(599686042433355775), '85283473fffffff', 'as everybody writes it');
SELECT is(h3.from_text('85283473FFFFFFF'), 599686042433355775, 'and back, in either case');
SELECT is(h3.from_text('nonsense'), NULL, 'what is no number is nothing');
SELECT is(h3.to_text(h3.parent(h3.from_text('85283473fffffff'), 4)), '8428347ffffffff', 'its parent');
SELECT is(h3.parent(h3.from_text('85283473fffffff'), 6), NULL, 'has no parent that is finer');
SELECT is(ARRAY(SELECT h3.to_text(c) FROM h3.children(h3.from_text('85283473fffffff'), 6) AS c ORDER BY c),
          '{862834707ffffff,86283470fffffff,862834717ffffff,86283471fffffff,862834727ffffff,86283472fffffff,862834737ffffff}'::text[], 'seven children');
SELECT is((SELECT count(*) FROM h3.children(h3.from_text('8009fffffffffff'), 2)), 41::bigint, 'a pentagon has fewer');
SELECT is(h3.child_count(h3.from_text('8009fffffffffff'), 2), 41::bigint, 'and says so');
SELECT is(h3.is_valid(h3.from_text('85283473ffffffe')), false, 'a digit beyond the resolution is 7');
SELECT is(h3.is_valid(NULL), false, 'nothing is no cell');
SELECT * FROM finish();
ROLLBACK;
