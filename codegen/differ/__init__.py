"""From one catalog to another: the steps, in an order that works, with the locks they take and what may hurt.

Steps come from the catalogs alone, so that the way back is the same work with the sides exchanged. What PostgreSQL refuses
to change while others lean on it is taken away first and made again afterwards; CASCADE is never used.
"""

from codegen.differ.steps_between import between, everything
from codegen.differ.work import Facts

__all__ = ["Facts", "between", "everything"]
