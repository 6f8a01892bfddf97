"""The names of series, shared by every part: a base name in the site file, the SI name (with its unit) inside."""

from dataclasses import dataclass

SI_SUFFIX = {
    "elevation": "m",
    "level": "m",
    "volume": "m3",
    "power": "mw",
    "setpoint": "mw",
    "flow": "m3s",
    "inflow": "m3s",
    "outflow": "m3s",
    "frequency": "hz",
    "price": "eur_per_mwh",
}
SI_UNITS = {"m": "m", "m3": "m**3", "mw": "MW", "m3s": "m**3/s", "hz": "Hz", "eur_per_mwh": "EUR/MWh"}
"""The unit a series' name ends in; EUR is a unit of the registry."""

ELEVATION = "elevation_m"
FLOAT_ELEVATION = "float_elevation_m"
OXPH_POWER = "oxph_power_mw"
OXPH_GOVERNOR_SETPOINT = "oxph_governor_setpoint_mw"
MFRA_POWER = "mfra_power_mw"
MODE = "mode"
R4_FLOW = "r4_flow_m3s"
R20_FLOW = "r20_flow_m3s"
R5L_FLOW = "r5l_flow_m3s"
R26_FLOW = "r26_flow_m3s"
R11_FLOW = "r11_flow_m3s"
R30_FLOW = "r30_flow_m3s"
TUNNEL_LEVEL = "tunnel_level_m"
TUNNEL_VOLUME = "tunnel_volume_m3"
TUNNEL_INFLOW = "tunnel_inflow_m3s"
STATION_OUTFLOW = "station_outflow_m3s"
PRICE = "day_ahead_price_eur_per_mwh"
GAUGES = (R30_FLOW, R4_FLOW, R20_FLOW, R5L_FLOW, R26_FLOW)


@dataclass(frozen=True, slots=True)
class SeriesName:
    """A series as it is called inside and the unit of its values ('' for an enumeration)."""

    name: str
    si_unit: str


def si_series(base: str) -> SeriesName:
    """The SI name and unit of a site file's base name: elevation → elevation_m in m. Raises ValueError."""
    if base == MODE:
        return SeriesName(MODE, "")
    suffix = SI_SUFFIX.get(base.rsplit("_", 1)[-1])
    if suffix is None:
        raise ValueError(f"series={base!r} must be 'mode' or end in one of {sorted(SI_SUFFIX)}")
    return SeriesName(f"{base}_{suffix}", SI_UNITS[suffix])


def unit_of(name: str) -> str:
    """The SI unit that an inside name ends in ('' for an enumeration)."""
    return next((unit for suffix, unit in SI_UNITS.items() if name.endswith(f"_{suffix}")), "")


def pump_series(resource: str, quantity: str) -> str:
    """The inside name of a pump's frequency, flow or power: P1_1 and frequency → p1_1_frequency_hz."""
    return si_series(f"{resource.lower()}_{quantity}").name
