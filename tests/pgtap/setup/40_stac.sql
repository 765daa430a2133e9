-- STAC documents for the tests of the catalogue's writers.

CREATE FUNCTION tests.stac_collection(id text, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('type', 'Collection', 'stac_version', '1.1.0', 'id', id, 'description', 'Some', 'license', 'other', 'links', '[]'::jsonb,
        'extent', '{"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[null, null]]}}'::jsonb) || more;
$$;

CREATE FUNCTION tests.stac_item(collection text, id text, box float8[] DEFAULT '{0,0,1,1}', request text DEFAULT 'r', revision integer DEFAULT 1)
RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('type', 'Feature', 'stac_version', '1.1.0', 'id', id, 'collection', collection, 'links', '[]'::jsonb,
        'geometry', public.ST_AsGeoJSON(public.ST_MakeEnvelope(box[1], box[2], box[3], box[4], 4326))::jsonb, 'bbox', to_jsonb(box),
        'properties', jsonb_build_object('datetime', '2024-01-01T00:00:00Z', 'geomill:request_id', request, 'geomill:revision', revision),
        'assets', '{"data": {"href": "x"}}'::jsonb);
$$;

CREATE FUNCTION tests.stac_box(collection text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT content #> '{extent,spatial,bbox,0}' FROM pgstac.collections WHERE id = collection;
$$;

CREATE FUNCTION tests.stac_ids(collection text) RETURNS text[] LANGUAGE sql AS $$
    SELECT coalesce(array_agg(i.id ORDER BY i.id), '{}') FROM pgstac.items AS i WHERE i.collection = stac_ids.collection;
$$;
