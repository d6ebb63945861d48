"""Programs that run for days: what the collector of reference cycles need not look at."""

import gc

_YOUNG_OBJECTS = 20_000
"""How many come to be before the youngest are looked through; by default it is 700.

A request of some kilobytes of JSON is hundreds of objects, none of which is in a cycle: a tenth
of the time of a busy server went into looking through them again and again.
"""


def settle_in() -> None:
    """Have the collector leave alone what is there now, and look through new objects seldom.

    To be called once, when a program has loaded what it needs: its modules and tables live as long
    as it does.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 10, 10)
