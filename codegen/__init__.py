"""Models to SQL to database: what a DBA runs as ``python -m codegen plan|deploy|verify``."""
