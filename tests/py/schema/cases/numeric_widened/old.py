"""More digits before the point. Before."""

from decimal import Decimal
from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    price: Decimal = Field(max_digits=5, decimal_places=2, description="Price")
