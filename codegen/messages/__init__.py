"""Data in flight: job parameters, claimed tasks, results, requests, errors. Never a table.

The parameter models become SQL validators at deploy (through their JSON Schema), so that a wrong submit fails in the
client's own call. Workers may import this package; it imports nothing of the rest of codegen.
"""
