"""What the vector tasks are made of: where a layer is, what it holds, how its rows reach a table, how the table is published.

`source` opens what a request names, `layer` describes it, `crs` and `plan` decide, `batches` reads, `load` and `publish`
speak SQL. Nothing here knows of tasks or stages; workers/tasks/vector.py does.
"""
