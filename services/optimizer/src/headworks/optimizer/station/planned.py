"""A station's problem, made ready to be solved."""

from dataclasses import dataclass

from headworks.optimizer.models.pumping_data import StationCase, StationWeights
from headworks.optimizer.station.case import Tuning
from headworks.optimizer.station.flush import FlushAsked
from headworks.optimizer.station.forecasting import InflowForecast
from headworks.optimizer.station.schedule import StationOptions
from headworks.waterway.station import Station
from headworks.waterway.station_rules import StationRules


@dataclass(frozen=True, slots=True)
class Planned:
    """A prepared problem: the program's case and weights, and all that explains them."""

    station: Station
    rules: StationRules
    case: StationCase
    weights: StationWeights
    options: StationOptions
    last_hz: tuple[tuple[float, ...], ...]
    flush: FlushAsked
    forecast: InflowForecast
    tuning: Tuning
