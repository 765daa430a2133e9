"""Tests in Python; the fixtures stand in tests/conftest.py, what they are made of in support."""
