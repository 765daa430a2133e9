-- The jobs of pg_cron, run in the database that pg_cron lives in. Parameters: database.
-- A job is named geomill:<database>:<job>; nothing else is touched, but jobs of databases that are gone.
SELECT cron.unschedule(j.jobid)
  FROM cron.job AS j
 WHERE j.jobname LIKE 'geomill:%%' AND NOT EXISTS (SELECT FROM pg_catalog.pg_database AS d WHERE d.datname = j.database);

-- A minute is pg_cron's finest step; a worker runs the janitor where this is late.
SELECT cron.schedule_in_database(concat('geomill:', %(database)s, ':janitor'), '* * * * *', 'SELECT app.run_janitor()', %(database)s)
 WHERE NOT EXISTS (SELECT FROM cron.job AS j
                    WHERE j.jobname = concat('geomill:', %(database)s, ':janitor') AND j.database = %(database)s
                      AND j.schedule = '* * * * *' AND j.command = 'SELECT app.run_janitor()' AND j.active);
