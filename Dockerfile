# Images of docker-compose.yml, from the distribution's packages as ops/install.sh installs them anywhere else.
#   db     PostgreSQL 15, PostGIS, pg_cron, pgTAP, plpgsql_check
#   app    Python and geomill: deploy, workers
#   test   both, to run the tests in a cluster of their own

FROM debian:bookworm-slim AS base
WORKDIR /geomill
COPY ops/server.sh ops/install.sh ops/

FROM base AS db
RUN ops/install.sh server && rm -rf /var/lib/apt/lists/*
COPY ops/postgresql.conf ops/docker-db.sh ops/
RUN install -d -o postgres -g postgres -m 0700 /var/lib/geomill
USER postgres
VOLUME /var/lib/geomill
EXPOSE 5432
# Fast shutdown: the default, SIGTERM, waits for every client to leave.
STOPSIGNAL SIGINT
ENTRYPOINT ["ops/docker-db.sh"]

FROM base AS app
COPY requirements.lock .
RUN ops/install.sh venv && rm -rf /var/lib/apt/lists/* /root/.cache
COPY . .
RUN useradd --uid 10001 --create-home geomill && install -d -o geomill -g geomill .geomill /var/lib/geomill-home
ENV PATH=/geomill/.venv/bin:$PATH PYTHONUNBUFFERED=1
USER geomill
CMD ["python", "-m", "workers"]

FROM db AS test
USER root
RUN apt-get update -qq && apt-get install -qq -y --no-install-recommends python3 && rm -rf /var/lib/apt/lists/*
COPY --from=app /geomill /geomill
RUN useradd --uid 10001 --create-home geomill && chown geomill: .geomill
USER geomill
ENTRYPOINT []
CMD ["ops/test.sh", "all"]
