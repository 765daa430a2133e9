-- The jobs of pg_cron, run in the database that pg_cron lives in. Parameters: database, keep_days, batch.
-- A job is named geomill:<database>:<job>; nothing else is touched, but jobs of databases that are gone.
SELECT cron.unschedule(j.jobid)
  FROM cron.job AS j
 WHERE j.jobname LIKE 'geomill:%%'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_database AS d WHERE starts_with(j.jobname, concat('geomill:', d.datname, ':')));

-- Without a limit of days there is no job for it.
SELECT cron.unschedule(j.jobid) FROM cron.job AS j WHERE j.jobname = concat('geomill:', %(database)s, ':history') AND %(keep_days)s::integer IS NULL;

-- janitor: a minute is pg_cron's finest step; a worker runs the janitor where this is late.
-- history: pg_cron keeps a record of every run for ever; it lives here, where the janitor cannot reach it.
SELECT cron.schedule_in_database(w.name, w.schedule, w.command, w.database)
  FROM (VALUES (concat('geomill:', %(database)s, ':janitor'), '* * * * *', 'SELECT app.run_janitor()', %(database)s),
               (concat('geomill:', %(database)s, ':history'), '17 * * * *', format(
                    'DELETE FROM cron.job_run_details WHERE runid IN (SELECT d.runid FROM cron.job_run_details AS d JOIN cron.job AS j USING (jobid)'
                    ' WHERE j.jobname IN (%%L, %%L) AND d.start_time < now() - interval ''%%s days'' ORDER BY d.runid LIMIT %%s)',
                    concat('geomill:', %(database)s, ':janitor'), concat('geomill:', %(database)s, ':history'), %(keep_days)s::integer, %(batch)s::integer),
                current_database()::text)) AS w (name, schedule, command, database)
 WHERE (%(keep_days)s::integer IS NOT NULL OR w.schedule = '* * * * *')
   AND NOT EXISTS (SELECT FROM cron.job AS j
                    WHERE j.jobname = w.name AND j.database = w.database AND j.schedule = w.schedule AND j.command = w.command AND j.active);
