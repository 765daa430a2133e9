"""The workers: thin processes that claim tasks, run their handlers and report, as ``python -m workers``.

A worker orchestrates nothing. It knows five calls of SQL (register, turn, heartbeat, release, and fail within turn) and
could be rewritten in another language in a day.
"""
