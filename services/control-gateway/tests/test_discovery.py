"""Discovery: what is new and whole is found, what is wrong is told, and what runs already is taken as it is."""

import copy
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml
from sites_rig import SECOND, Raw, site_of, with_second

from headworks.control_gateway.discovery import discovered
from headworks.control_gateway.limits import actuators_of
from headworks.control_gateway.section import control_section
from headworks.waterway.site import Site


def checked(site: Site) -> None:
    actuators_of(site, control_section(site))


def look(
    running: Raw, *files: Raw | str, planned: frozenset[str] = frozenset()
) -> tuple[Mapping[str, Site], tuple[str, ...]]:
    read = {f"{k}.yaml": f if isinstance(f, str) else site_of(f) for k, f in enumerate(files)}
    found = discovered({"abay": site_of(running)}, read, {"abay": planned}, checked)
    return found.sites, found.findings


def test_files_that_say_what_runs_find_nothing(raw: Raw) -> None:
    assert look(raw, raw, planned=frozenset({"OXPH"})) == ({}, ())


def test_a_new_site_that_is_whole_is_found(raw: Raw) -> None:
    sites, findings = look(raw, raw, raw | {"site": "other"})
    assert (list(sites), findings) == (["other"], ())


def test_a_new_actuator_is_found_and_nothing_else_of_the_file_is_taken(raw: Raw) -> None:
    grown = with_second(raw)
    grown["control"]["actuators"]["OXPH"] = grown["control"]["actuators"]["OXPH"] | {"maximum": "6 MW"}
    grown["control"]["tick_every"] = "2 s"
    sites, findings = look(raw, grown)
    first, second = actuators_of(sites["abay"], control_section(sites["abay"]))
    assert (first.resource, first.limits.maximum, second.resource) == ("OXPH", 580, "SECOND")
    assert control_section(sites["abay"]).tick_every == 1
    assert findings == (
        "site abay: actuator OXPH is changed; it comes into force with a restart",
        "site abay: what its actuators share is changed; it comes into force with a restart",
    )


def test_a_new_actuator_on_a_new_plc_is_found(raw: Raw) -> None:
    grown = with_second(raw)
    plcs = grown["control"]["plcs"]
    plcs["other-plc"] = plcs["oxph-plc"] | {
        "unit_id": 3,
        "points": {"SECOND": plcs["oxph-plc"]["points"].pop("SECOND")},
    }
    grown["control"]["actuators"]["SECOND"] = grown["control"]["actuators"]["SECOND"] | {"plc": "other-plc"}
    sites, findings = look(raw, grown)
    assert findings == ()
    assert [a.plc for a in actuators_of(sites["abay"], control_section(sites["abay"]))] == ["oxph-plc", "other-plc"]


@pytest.mark.parametrize("extended", [False, True])
def test_a_new_actuator_that_an_interlock_guards_waits_for_a_restart(raw: Raw, extended: bool) -> None:
    grown = with_second(raw)
    grown["control"]["actuators"]["THIRD"] = grown["control"]["actuators"]["SECOND"]
    grown["control"]["plcs"]["oxph-plc"]["points"]["THIRD"] = {
        role: point | {"address": address}
        for (role, point), address in zip(SECOND.items(), (130, 131, 130), strict=True)
    }
    [low] = grown["control"]["interlocks"]
    if extended:
        low["applies_to"] = ["OXPH", "SECOND"]
    else:
        grown["control"]["interlocks"] += [low | {"name": "guard", "applies_to": ["SECOND"]}]
    sites, findings = look(raw, grown)
    assert [a.resource for a in actuators_of(sites["abay"], control_section(sites["abay"]))] == ["OXPH", "THIRD"]
    assert control_section(sites["abay"]).interlocks == control_section(site_of(raw)).interlocks
    by = "low_afterbay" if extended else "guard"
    assert findings == (
        f"site abay: actuator SECOND is new, and its interlock {by} is not in force yet; it comes into force with a restart",
        "site abay: what its actuators share is changed; it comes into force with a restart",
    )


def test_a_new_actuator_that_an_interlock_guards_begins_with_a_new_site(raw: Raw) -> None:
    new = with_second(raw) | {"site": "other"}
    new["control"]["interlocks"][0]["applies_to"] = ["OXPH", "SECOND"]
    sites, findings = look(raw, raw, new)
    assert findings == ()
    assert [i.applies_to for i in control_section(sites["other"]).interlocks] == [("OXPH", "SECOND")]


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        ({"readback": {**SECOND["readback"], "address": 101}}, "another register than OXPH.readback's"),
        ({"setpoint": {**SECOND["setpoint"], "writable": False}}, "SECOND.setpoint.writable=False must be true"),
        ({"actual": {**SECOND["actual"], "scale": "0 MW"}}, "SECOND.actual.scale='0 MW' must be above zero"),
        ({"actual": {**SECOND["actual"], "colour": "red"}}, "Extra inputs are not permitted (got 'red')"),
    ],
)
def test_a_new_actuator_that_is_wrong_is_told_and_begins_nowhere(raw: Raw, change: Raw, finding: str) -> None:
    sites, [told] = look(raw, with_second(raw, **change))
    assert sites == {}
    assert finding in told
    assert told.endswith("; nothing new of site abay begins")


def test_a_file_that_cannot_be_read_is_told(raw: Raw) -> None:
    sites, findings = look(raw, "line 3: a tab")
    assert (sites, findings) == ({}, ("0.yaml cannot be read: line 3: a tab",))


def test_a_site_whose_file_is_gone_is_told(raw: Raw) -> None:
    _, [told] = look(raw, raw | {"site": "other"})
    assert told == "site abay has no file any more; it is controlled until a restart"


def test_what_a_file_drops_or_changes_is_told(raw: Raw) -> None:
    changed = with_second(raw)
    for section in (changed["control"]["actuators"], changed["control"]["plcs"]["oxph-plc"]["points"]):
        del section["OXPH"]
    changed["control"]["plcs"]["oxph-plc"]["timeout"] = "1 s"
    sites, findings = look(raw, changed)
    assert [a.resource for a in actuators_of(sites["abay"], control_section(sites["abay"]))] == ["OXPH", "SECOND"]
    assert findings == (
        "site abay: PLC oxph-plc is changed; it comes into force with a restart",
        "site abay: actuator OXPH is no longer listed; it comes into force with a restart",
    )


def test_a_plan_for_an_actuator_that_no_file_lists_is_told(raw: Raw) -> None:
    _, [told] = look(raw, raw, planned=frozenset({"OXPH", "GATE_1"}))
    assert told == "site abay: plans name GATE_1, which its file does not list; it is not controlled"
    assert look(raw, with_second(raw), planned=frozenset({"SECOND"}))[1] == ()


def test_a_plan_for_an_actuator_that_waits_is_no_other_finding(raw: Raw) -> None:
    grown = with_second(raw)
    grown["control"]["interlocks"][0]["applies_to"] = ["OXPH", "SECOND"]
    alone, planned = look(raw, grown)[1], look(raw, grown, planned=frozenset({"SECOND"}))[1]
    assert planned == alone


def test_plans_for_a_site_without_a_file_are_told(raw: Raw) -> None:
    planned = {"other": frozenset({"P2", "P1"})}
    found = discovered({"abay": site_of(raw)}, {"abay.yaml": site_of(raw)}, planned, checked)
    assert found.findings == ("plans name site other, which has no file here; not controlled: P1, P2",)


def test_plans_for_a_site_whose_file_is_wrong_are_no_other_finding(raw: Raw) -> None:
    wrong = site_of(raw | {"site": "other", "control": raw["control"] | {"tick_every": "no time"}})
    files = {"abay.yaml": site_of(raw), "other.yaml": wrong}
    [told] = discovered({"abay": site_of(raw)}, files, {"other": frozenset({"P1"})}, checked).findings
    assert told.endswith("nothing new of site other begins")


def test_a_new_pump_waits_for_a_restart(sites_folder: Path) -> None:
    raw: Raw = yaml.safe_load((sites_folder / "blominmaki.yaml").read_text(encoding="utf-8"))
    grown = copy.deepcopy(raw)
    grown["control"]["actuators"]["P1_5"] = grown["control"]["actuators"]["P1_4"]
    found = discovered({"blominmaki": site_of(raw)}, {"b.yaml": site_of(grown)}, {}, checked)
    assert found.sites == {}
    assert found.findings == (
        "site blominmaki: pump P1_5 is new, and all pumps of a site decide together; it comes into force with a restart",
    )
