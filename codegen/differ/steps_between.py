"""From one catalog to another: the steps, in an order that works, with the locks they take and what may hurt."""

from __future__ import annotations

from codegen.catalog import Catalog
from codegen.differ.afterwards import afterwards
from codegen.differ.again import find_what_is_made_again, pair_renames
from codegen.differ.enum_types import lend_create, types
from codegen.differ.making import make
from codegen.differ.order import in_order
from codegen.differ.removal import drop_early, drop_late, rename
from codegen.differ.work import Facts, Work
from codegen.steps import Step


def between(live: Catalog, wanted: Catalog, facts: Facts) -> list[Step]:
    """The steps that make `wanted` of `live`; [] if they are the same."""
    work = Work(live, wanted, facts)
    pair_renames(work)
    find_what_is_made_again(work)
    for key in sorted(work.renamed):
        rename(work, live[key], wanted[work.renamed[key]])
    drop_early(work)
    types(work)
    make(work)
    drop_late(work)
    lend_create(work)
    afterwards(work)
    return in_order(work)


def everything(catalog: Catalog) -> list[Step]:
    """The steps that make a copy of a catalog's things in empty schemas."""
    schemas = {thing.key: thing for thing in catalog.of_kind("schema")}
    return between(Catalog(schemas, {key: frozenset() for key in schemas}), catalog, Facts(lambda _: False))
