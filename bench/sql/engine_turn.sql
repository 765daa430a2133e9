SELECT '[' || coalesce(string_agg('{"task_id":' || t.task_id || ',"attempt":' || t.attempt || '}', ','), '') || ']' AS finished
  FROM app.turn('bench-' || :run || '-' || :client_id, :finished::jsonb, '{bench}', :batch) AS t \gset
