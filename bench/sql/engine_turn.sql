SELECT coalesce(jsonb_agg(jsonb_build_object('task_id', t.task_id, 'attempt', t.attempt)), '[]')::text AS finished
  FROM app.turn('bench-' || :run || '-' || :client_id, :finished::jsonb, '{bench}', :batch) AS t \gset
