"""Reading ahead: the next batch is decoded while the server works on the one before it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor

from workers.vector.batches import Batch


def ahead(batches: Generator[Batch, None, None]) -> Iterator[Batch]:
    """The same batches in the same order, one of them in memory beside the one that was handed out.

    The generator runs in a thread of its own from its beginning to its end, closing included. What it raises is raised here.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead") as thread:
        try:
            following = thread.submit(next, batches, None)
            while (batch := following.result()) is not None:
                following = thread.submit(next, batches, None)
                yield batch
        finally:
            thread.submit(batches.close).result()
