"""Prints, as JSON, the statements that pgqueuer itself sends: install, claim, complete. Runs in the peers' environment."""

import datetime
import json
import sys
import uuid

from pgqueuer.adapters.persistence import qb  # type: ignore[import-not-found] # it is in the peers' environment only

queue = qb.QueryQueueBuilder()
claim = queue.build_dequeue_query(
    batch_size=int(sys.argv[1]),
    entrypoints=["bench"],
    concurrency_limits=[0],
    queue_manager_id=uuid.UUID(int=1),
    global_concurrency_limit=None,
    heartbeat_timeout=datetime.timedelta(seconds=30),
)
sys.stdout.write(
    json.dumps({"install": qb.QueryBuilderEnvironment().build_install_query(), "claim": claim.sql, "complete": queue.build_log_job_query()})
)
