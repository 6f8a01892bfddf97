"""What a trajectory truly costs at the model's prices: the objective again, read off the forward simulation.

It needs no model and no solver, so it judges any schedule, whoever made it.
"""

from collections.abc import Sequence

from headworks.optimizer.models.data import DAM3, Data
from headworks.waterway.simulate import Trajectory


def cost_by_term(data: Data, trajectory: Trajectory) -> dict[str, float]:
    """Each term of the objective, in the model's price units. Changes are counted on the generation."""
    prices, power_mw = data.prices, trajectory.power_mw
    storages = [(storage - data.origin_m3) / DAM3 for storage in trajectory.storage_m3]
    kept = [min(data.maximum_dam3, max(0.0, storage)) for storage in storages]
    hour_dam3 = 3600 / DAM3
    return {
        "midpoint_elevation": prices.midpoint * sum(abs(storage - data.midpoint_dam3) for storage in kept),
        "minimum_elevation": prices.below * sum(max(0.0, -storage) for storage in storages),
        "maximum_elevation": prices.above * sum(max(0.0, storage - data.maximum_dam3) for storage in storages),
        "smooth_operation": _changes(power_mw, data.initial_mw, prices.change),
        "summer_rafting": prices.rafting
        * sum(data.max_power_mw - power for power, window in zip(power_mw, data.rafting_hours, strict=True) if window),
        "avoid_spill": sum(p * q * hour_dam3 for p, q in zip(prices.spill, trajectory.spill_m3s, strict=True)),
        "revenue": -prices.revenue
        * sum(power * (price or 0.0) for power, price in zip(power_mw, data.prices_per_mwh, strict=True)),
    }


def _changes(power_mw: Sequence[float], initial_mw: float, prices: Sequence[float]) -> float:
    before = [initial_mw, *power_mw[:-1]]
    return sum(price * abs(p - b) for price, p, b in zip(prices, power_mw, before, strict=True))
