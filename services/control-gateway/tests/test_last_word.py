"""What stands against a write in the moment before it: each order alone, at its edge, and for whom it does not count."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from time_rig import NOW

from headworks.common.clock import Clock
from headworks.common.messages import ControlMode, SetpointOverride
from headworks.control_gateway.expressions import parse
from headworks.control_gateway.known import Stood
from headworks.control_gateway.last_word import (
    ANOTHER_LEADS,
    DECIDED_AT_MOST_S,
    E_STOP,
    TOO_OLD,
    UNDECIDED,
    LastWord,
    overtaken,
)
from headworks.control_gateway.lead_board import LeadBoard
from headworks.control_gateway.orders import OrderBook
from headworks.control_gateway.site_interlocks import SiteInterlocks
from headworks.control_gateway.switches import SwitchBoard
from headworks.control_gateway.trip_board import TripBoard
from headworks.control_gateway.trips import Interlock
from headworks.control_gateway.watchdog import WatchLimits

STOOD = Stood(None, None, 100.0)
OVERRIDE = SetpointOverride(value=3.0, by="ann", reason="test", given_at=NOW, until=NOW + timedelta(hours=1))
FULL = Interlock("full", parse("level > 2 m", {"level": "m"}), "level > 2 m", None, "hold", frozenset({"A"}))
"""It is on A alone. B has none."""


class At(Clock):
    """A clock that stands at an instant."""

    def now(self) -> datetime:
        return NOW


class Site:
    """A site of two actuators, A and B, whose last word is asked at the machine's second `at_s`."""

    def __init__(self, folder: Path, *, tripped: bool = False) -> None:
        if tripped:
            (folder / "interlocks-abay.json").write_text(
                '{"full": {"since": "2026-02-17T07:00:00Z", "why": "level > 2 m"}}'
            )
        trips = TripBoard(folder, "abay", SiteInterlocks((FULL,)), NOW)
        self.leads = LeadBoard(trips, OrderBook(folder, "abay", ["A", "B"]), WatchLimits(1200), NOW)
        self.switches, self.at_s = SwitchBoard(folder, "abay"), 100.0
        self.word = LastWord(self.switches, self.leads, At(), lambda: self.at_s)

    def refuses(self, resource: str = "A", stood: Stood | None = STOOD, /, **kind: bool) -> str | None:
        return self.word.of(resource, stood, **kind)()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (STOOD, None),
        (STOOD._replace(at_s=100.0 + DECIDED_AT_MOST_S), None),
        (STOOD._replace(at_s=100.001 + DECIDED_AT_MOST_S), TOO_OLD),
        (STOOD._replace(override=OVERRIDE), ANOTHER_LEADS),
        (STOOD._replace(interlock="low"), ANOTHER_LEADS),
    ],
)
def test_what_was_decided_stands_while_the_same_leads_and_not_for_long(now: Stood, why: str | None) -> None:
    assert overtaken(STOOD, now) == why
    assert overtaken(STOOD, now, protects=True) == (None if why == TOO_OLD else why)


def test_what_led_and_leads_no_more_is_another_too() -> None:
    assert overtaken(STOOD._replace(override=OVERRIDE), STOOD) == ANOTHER_LEADS
    assert overtaken(STOOD._replace(interlock="low"), STOOD) == ANOTHER_LEADS
    assert overtaken(STOOD._replace(interlock="low"), STOOD._replace(interlock="lower")) == ANOTHER_LEADS


def test_where_nobody_judged_who_leads_nothing_is_written() -> None:
    assert overtaken(None, STOOD) == UNDECIDED
    assert overtaken(None, STOOD, protects=True) == UNDECIDED


def test_what_leads_over_the_plan_is_told_of_each_actuator(tmp_path: Path) -> None:
    site = Site(tmp_path, tripped=True)
    assert site.word.stood("A") == Stood(None, "full", 100.0)
    assert site.word.stood("B") == Stood(None, None, 100.0)
    site.leads.orders.override("B", OVERRIDE)
    site.at_s = 101.5
    assert site.word.stood("A") == Stood(None, "full", 101.5)
    assert site.word.stood("B") == Stood(OVERRIDE, None, 101.5)


def test_an_override_that_is_over_leads_no_more(site: Site) -> None:
    site.leads.orders.override("A", OVERRIDE.model_copy(update={"until": NOW}))
    assert site.word.stood("A") == STOOD


def test_by_itself_the_age_of_a_decision_is_by_the_leases_clock(tmp_path: Path) -> None:
    site = Site(tmp_path)
    word = LastWord(site.switches, site.leads, At())
    assert word.of("A", word.stood("A"))() is None
    assert word.of("A", STOOD._replace(at_s=word.stood("A").at_s - DECIDED_AT_MOST_S - 1))() == TOO_OLD


def test_nothing_stands_against_what_was_decided_as_things_stand(site: Site) -> None:
    for stops in (False, True):
        for protects in (False, True):
            assert site.refuses(stops=stops, protects=protects) is None


def test_an_e_stop_stops_all_but_a_stop_where_it_is_in_force_and_nowhere_else(site: Site) -> None:
    site.switches.press_e_stop("ann", NOW, resource="A")
    assert (site.refuses("A"), site.refuses("B")) == (E_STOP, None)
    assert site.refuses("A", protects=True) == E_STOP
    site.switches.set_mode(ControlMode.OFF, "ann", NOW)
    assert site.refuses("A", None, stops=True) is None
    assert site.refuses("A") == E_STOP
    assert site.refuses("B", stops=True) == "mode became off before the write"


@pytest.mark.parametrize("mode", [ControlMode.MANUAL, ControlMode.OFF, ControlMode.MAINTENANCE])
def test_another_mode_than_auto_stops_all_of_the_site_or_of_one_actuator(tmp_path: Path, mode: ControlMode) -> None:
    def of_the_site(site: Site) -> None:
        site.switches.set_mode(mode, "ann", NOW)

    def of_one(site: Site) -> None:
        site.leads.orders.set_mode("A", mode, "ann", NOW)

    orders: list[tuple[Callable[[Site], None], bool]] = [(of_the_site, True), (of_one, False)]
    for k, (order, for_both) in enumerate(orders):
        site = Site(tmp_path / str(k))
        order(site)
        for kind in ({}, {"stops": True}, {"protects": True}, {"stops": True, "protects": True}):
            assert site.refuses("A", **kind) == f"mode became {mode.value} before the write"
        assert (site.refuses("B") is not None) is for_both


def test_only_a_stop_that_protects_waits_for_nobody_who_leads(site: Site) -> None:
    site.leads.orders.override("A", OVERRIDE)
    assert site.refuses("A") == site.refuses("A", stops=True) == site.refuses("A", protects=True) == ANOTHER_LEADS
    assert site.refuses("A", stops=True, protects=True) is None
    assert site.refuses("A", None, stops=True, protects=True) is None
    assert site.refuses("B") is None
    assert site.refuses("A", STOOD._replace(override=OVERRIDE)) is None


def test_an_old_decision_is_not_written_but_what_protects(site: Site) -> None:
    site.at_s += DECIDED_AT_MOST_S
    assert site.refuses() is None
    site.at_s += 0.001
    assert site.refuses() == site.refuses(stops=True) == TOO_OLD
    assert site.refuses(protects=True) is None


def test_nobody_judged_who_leads_is_told_by_the_word_too(site: Site) -> None:
    assert site.refuses("A", None) == site.refuses("A", None, protects=True) == UNDECIDED
