"""What a build or a deploy refuses, and what to do about it."""

from __future__ import annotations


class RefusedError(Exception):
    """Something that cannot be generated, deployed or connected to as asked. The message says where, why and the remedy."""

    def __init__(self, where: str, why: str, remedy: str) -> None:
        super().__init__(f"{where}: {why}\n  remedy: {remedy}")
        self.where = where
        self.why = why
        self.remedy = remedy
