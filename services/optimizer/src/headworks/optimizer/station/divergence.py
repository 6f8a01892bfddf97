"""How far the water went another way than was planned: what a station does not do as it should shows in its volume first.

A level says little: the same water moves it by 0.9 m at 1 m and by 0.1 m at 7 m. And each plan begins with the level that was
measured, so that the last one hides what went wrong before it. The sum over the last hour does neither, and holds for as long.
"""

from collections.abc import Sequence
from datetime import timedelta

OVER = timedelta(hours=1)


def diverged_m3(missed_m3: Sequence[float | None]) -> float | None:
    """The sum of each step's change of volume beyond the planned one, oldest first, back to where it is not known.

    None where the last one is not known.
    """
    known: list[float] = []
    for missed in reversed(missed_m3):
        if missed is None:
            break
        known.append(missed)
    return sum(known) if known else None
