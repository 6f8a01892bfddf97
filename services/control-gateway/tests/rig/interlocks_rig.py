"""The level interlocks of three pumps."""

from headworks.control_gateway.interlocks import InterlockLimits

LIMITS = InterlockLimits(
    lowest=10,
    highest=14100,
    low_low=200,
    low_low_released=400,
    high_high=7400,
    high_high_released=7000,
    high_high_pumps=2,
    minimum_pumps_on=1,
    seen_within_s=600,
    start_takes_s=60,
    order=("B", "A", "C"),
)
