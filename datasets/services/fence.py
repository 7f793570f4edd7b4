"""How a service that works for a long time commits what it has done so far.

`transaction.atomic` is the plain way. A job puts its own in place, which also makes sure that the worker still has the
job; both begin a transaction and end it with the block.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

Fence = Callable[[], AbstractContextManager[None]]
