"""A table and one of its columns are renamed at once, indexes, keys and checks with them. After."""

from typing import Annotated, ClassVar

from pydantic import AwareDatetime, Field

from codegen.models.base import Column, Table, table


class Piece(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="pieces", unique=[("mass",)], renamed_from="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    mass: Annotated[int, Column(renamed_from="weight")] = Field(ge=0, description="Mass")
    posted_at: Annotated[AwareDatetime | None, Column(renamed_from="sent_at")] = Field(default=None, description="Posted at")
