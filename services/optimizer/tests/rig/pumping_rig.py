"""A small station of three pumps, its rules, and cases of it."""

from headworks.optimizer.models.pumping_data import (
    StationCase,
    StationWeights,
)
from headworks.optimizer.station.answered import StationSchedule, StationStatus
from headworks.optimizer.station.schedule import StationOptions, solve_station
from headworks.waterway.pumps import Parabola, Pump, PumpType
from headworks.waterway.station import Station
from headworks.waterway.station_rules import Before, StationRules
from headworks.waterway.tunnel import Piece, TunnelVolume

STEP_S = 900.0
TUNNEL = TunnelVolume((Piece(0.4, 5.9, 0.4, 2500, 0, 350), Piece(5.9, 8.6, 5.9, 0, 27_500, 75_975)))
LARGE = PumpType(Parabola(42.525, -1.2528, -11.54736), Parabola(0.18067, 0.317592, -0.1358208), 50)
SMALL = PumpType(Parabola(31.394, 37.8216, -81.11664), Parabola(0.12587, 0.177696, -0.0896832), 50)
STATION = Station(
    TUNNEL, 30.0, (Pump("1.1", SMALL, 3.44, 1.042), Pump("1.2", LARGE, 4.0, 1.11), Pump("1.3", LARGE, 4.1, 1.11))
)
RULES = StationRules(0.0, 8.0, 47.8, 50.0, 10_478 / 3600, 3, 3, 0.5)
RESTED = (Before(on=True, steps=9), Before(on=False, steps=9), Before(on=False, steps=9))
QUICK = StationOptions(time_limit_s=10, mip_gap=0.001, threads=1)


def case_of(
    price_eur_per_mwh: tuple[float, ...],
    *,
    volume_m3: float = 10_000.0,
    inflow_m3: float = 900.0,
    before: tuple[Before, ...] = RESTED,
    dry_days: tuple[range, ...] = (),
) -> StationCase:
    return StationCase(
        initial_volume_m3=volume_m3,
        before=before,
        inflow_m3=(inflow_m3,) * len(price_eur_per_mwh),
        price_eur_per_mwh=price_eur_per_mwh,
        step_s=STEP_S,
        dry_days=dry_days,
        water_value_eur_per_m3=0.01,
    )


def solved(case: StationCase, weights: StationWeights | None = None, rules: StationRules = RULES) -> StationSchedule:
    schedule = solve_station(STATION, rules, case, weights or StationWeights(), QUICK)
    assert schedule.status is StationStatus.SOLVED, schedule.reason
    assert schedule.trajectory is not None
    return schedule
