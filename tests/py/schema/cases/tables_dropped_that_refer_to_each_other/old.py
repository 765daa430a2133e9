"""Two tables with references to each other go. Before."""

from typing import Annotated, ClassVar

from pydantic import Field

from codegen.models.base import Column, Table, table


class Thing(Table):
    """One thing."""

    __table__: ClassVar = table(schema="app", name="things")

    thing_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    name: str = Field(description="Name")


class Horse(Table):
    """A horse."""

    __table__: ClassVar = table(schema="app", name="horses")

    horse_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    cart_id: Annotated[int | None, Column(references="app.carts")] = Field(description="Cart id")


class Cart(Table):
    """A cart."""

    __table__: ClassVar = table(schema="app", name="carts")

    cart_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    horse_id: Annotated[int | None, Column(references="app.horses")] = Field(description="Horse id")
