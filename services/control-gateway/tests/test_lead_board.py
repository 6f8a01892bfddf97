"""What the watchdog is told: which series control rests on, as the site file says, and what of the bus measures them."""

import re
from datetime import timedelta

import pytest
from gateway_rig import HandClock, changed, good
from loop_rig import Gateway

from headworks.common.bus import Bus
from headworks.common.subjects import TELEMETRY
from headworks.common.tasks import in_background
from headworks.common.testing import eventually
from headworks.control_gateway.lead_board import watch_limits_of
from headworks.control_gateway.main import hear_measurements
from headworks.control_gateway.section import WatchdogSection, control_section
from headworks.control_gateway.watchdog import Measured, WatchLimits
from headworks.waterway.site import Site

ELEVATION = Measured("pi", "elevation_m")


def test_the_site_file_names_the_series_by_their_source() -> None:
    measurements = {"pi": ("elevation", "r4_flow"), "scada": ("mode",)}
    watch = WatchdogSection(measurements_silent_after="12 h", measurements=measurements)
    rests_on = (ELEVATION, Measured("pi", "r4_flow_m3s"), Measured("scada", "mode"))
    assert watch_limits_of(watch) == WatchLimits(1200, 43200, rests_on)
    assert watch_limits_of(WatchdogSection()) == WatchLimits(1200)
    by_default = watch_limits_of(WatchdogSection(measurements={"pi": ("elevation",)}))
    assert by_default == WatchLimits(1200, 1200, (ELEVATION,))


def test_what_the_repositorys_sites_rest_on_is_among_what_their_sources_give(site: Site, station_site: Site) -> None:
    for one in (site, station_site):
        sources = one.section("sources")
        named = control_section(one).watchdog.measurements
        assert named
        for source, names in named.items():
            assert set(names) <= {series["series"] for series in sources[source]["series"]}


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        (
            "watchdog.measurements",
            None,
            "measurements is missing: name by their source the series that control rests on",
        ),
        ("watchdog.measurements", {}, "measurements is missing: name by their source the series that control rests on"),
        ("watchdog.measurements", {"pi": []}, ".measurements.pi: Tuple should have at least 1 item"),
        ("watchdog.measurements", {"pi": ["elevaton"]}, "series='elevaton' must be 'mode' or end in one of"),
    ],
)
def test_what_would_watch_nothing_is_named(site: Site, path: str, value: object, text: str) -> None:
    with pytest.raises(ValueError, match=f"^site abay: control: watchdog.*{re.escape(text)}"):
        control_section(changed(site, path, value))


async def test_measurements_are_awaited_for_20_minutes_where_the_site_file_says_nothing(
    gateway: Gateway, clock: HandClock, site: Site
) -> None:
    section = control_section(changed(site, "watchdog.measurements_silent_after", None))
    gateway.watch = watch_limits_of(section.watchdog)
    gateway.begin()
    clock.forward(1200)
    assert gateway.loop.leads.silence(None, clock.now()) is None
    clock.forward(1)
    assert gateway.loop.leads.silence(None, clock.now()) == "no measurement of elevation_m by pi for 1200 s"


async def test_over_the_bus_no_price_and_no_other_source_feeds_the_watchdog(
    gateway: Gateway, bus: Bus, clock: HandClock
) -> None:
    gateway.watch = WatchLimits(1e6, 600, (ELEVATION,))
    gateway.begin()
    clock.forward(1000)
    now = clock.now()

    def silent() -> str | None:
        return gateway.loop.leads.silence(None, clock.now())

    async def is_heard() -> bool:
        measured = good(*ELEVATION, now).samples[0]
        for source, sample in (
            ("entsoe", measured.model_copy(update={"series": "day_ahead_price_eur_per_mwh"})),
            ("vendor", measured),
            ("pi", measured.model_copy(update={"series": "r4_flow_m3s"})),
            ("pi", measured.model_copy(update={"valid_at": now - timedelta(seconds=500)})),
        ):
            came = good(*ELEVATION, now).model_copy(update={"source": source, "samples": (sample,)})
            await bus.publish(TELEMETRY, came, site="abay", source=source)
        return silent() is None

    assert silent() == "no measurement of elevation_m by pi for 600 s"
    async with in_background(hear_measurements(gateway.loop, bus)):
        await eventually(is_heard)
        clock.forward(100)
        assert silent() is None
        clock.forward(1)
        assert silent() == "no measurement of elevation_m by pi for 600 s"
