"""Whom a request reaches: a unit that is one device, at an address of its own."""

import re
from pathlib import Path

import pytest
from gateway_rig import changed, plc_at

from headworks.common.sites import read_sites
from headworks.control_gateway.connections import refuse_shared
from headworks.control_gateway.fencing import fences_of
from headworks.control_gateway.section import control_section
from headworks.control_gateway.site_points import plc_points
from headworks.waterway.site import Site

PLC, SETPOINT, ELEVATION = (
    "plcs.oxph-plc",
    "plcs.oxph-plc.points.OXPH.setpoint",
    "plcs.oxph-plc.shared_points.elevation",
)


def with_changes(site: Site, changes: dict[str, object]) -> Site:
    for path, value in changes.items():
        site = changed(site, path, value)
    return site


@pytest.mark.parametrize("unit_id", [1, 247])
def test_a_serial_line_has_devices_1_to_247(site: Site, unit_id: int) -> None:
    made = with_changes(site, {f"{PLC}.transport": "rtu_over_tcp", f"{PLC}.unit_id": unit_id})
    assert plc_points("abay", control_section(made))["oxph-plc"].points["OXPH.setpoint"].unit_id == unit_id


@pytest.mark.parametrize("unit_id", [0, 248, 255])
@pytest.mark.parametrize("at", [PLC, SETPOINT, ELEVATION])
def test_no_other_unit_is_asked_there(site: Site, at: str, unit_id: int) -> None:
    made = with_changes(site, {f"{PLC}.transport": "rtu_over_tcp", f"{at}.unit_id": unit_id})
    expected = f"site abay: control.{at}.unit_id={unit_id} must be 1 to 247: on a serial line"
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}"):
        plc_points("abay", control_section(made))


@pytest.mark.parametrize("at", [PLC, SETPOINT])
def test_unit_0_is_not_written_unless_the_site_says_that_the_plc_is_no_bridge(site: Site, at: str) -> None:
    made = with_changes(site, {f"{at}.unit_id": 0})
    expected = f"site abay: control.{at}.unit_id=0 must be 1 to 255, for OXPH.setpoint is written: a bridge sends"
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}"):
        plc_points("abay", control_section(made))
    told = changed(made, f"{PLC}.no_bridge", True)
    assert plc_points("abay", control_section(told))["oxph-plc"].writable["OXPH.setpoint"].point.unit_id == 0


def test_unit_0_may_be_read_over_tcp(site: Site) -> None:
    made = changed(site, f"{ELEVATION}.unit_id", 0)
    assert plc_points("abay", control_section(made))["oxph-plc"].points["elevation"].unit_id == 0


def test_no_bridge_makes_no_broadcast_on_a_serial_line_right(site: Site) -> None:
    made = with_changes(site, {f"{PLC}.transport": "rtu_over_tcp", f"{PLC}.unit_id": 0, f"{PLC}.no_bridge": True})
    with pytest.raises(ValueError, match="must be 1 to 247"):
        plc_points("abay", control_section(made))


def test_two_plcs_of_one_host_and_port_are_refused() -> None:
    one, same, other = plc_at(5020), plc_at(5020), plc_at(5021)
    refuse_shared({"p of abay": one, "q of abay": other})
    expected = (
        "HEADWORKS_PLC_ADDRESSES: q of other='127.0.0.1:5020' must be another host and port than that of p of abay: write "
        "devices behind one address as one of `plcs`, with a unit_id at their points"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        refuse_shared({"p of abay": one, "q of other": same})


def test_every_written_point_of_the_shipped_sites_is_one_device_s(sites_folder: Path) -> None:
    units = {
        point.point.unit_id
        for site in read_sites(sites_folder).values()
        if "control" in (site.model_extra or {})
        for plc in plc_points(site.site, control_section(site)).values()
        for point in plc.writable.values()
    }
    assert units
    assert all(1 <= unit_id <= 247 for unit_id in units)


def test_a_bridge_that_keeps_telegrams_makes_every_write_of_a_pair_take_so_much_longer(site: Site) -> None:
    serial = with_changes(site, {f"{PLC}.transport": "rtu_over_tcp", "ha": {"standby": True, "lease": "8 s"}})

    def fence(made: Site) -> float:
        section = control_section(made)
        guarded = fences_of("abay", section.ha, plc_points("abay", section))
        assert guarded is not None
        return guarded[1]["oxph-plc"].write_s

    with pytest.raises(
        ValueError, match=r"^site abay: control\.plcs\.oxph-plc\.bridge_delay is missing: ha\.standby needs"
    ):
        fence(serial)
    assert fence(changed(serial, f"{PLC}.bridge_delay", "2 s")) == 3.0
    with pytest.raises(
        ValueError, match=r"lease=8 s must be at least 2\.5 times what a write to oxph-plc may take, 3\.3 s"
    ):
        fence(changed(serial, f"{PLC}.bridge_delay", "2.3 s"))
