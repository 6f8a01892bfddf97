"""Resource types: what the schema of each allows, and that a new one is a new file."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from headworks.common.database import Database
from headworks.common.messages import (
    GenericTargets,
    Plan,
    PlanInterval,
    PlanSubmission,
    PumpTargets,
    Refusal,
    Targets,
    TargetType,
)
from headworks.common.migrate import migration_folders, upgrade
from headworks.plans import resource_types
from headworks.plans.actuators import Actuator, actuators_of
from headworks.plans.lifecycle import refusals
from headworks.plans.resource_types import SCHEMAS, read_schemas
from headworks.plans.store import PlanStore
from headworks.plans.typed_targets import Schema
from headworks.waterway.site import Site

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
MIXER = '''
from typing import Annotated, Literal
from headworks.common.messages import TargetType
from headworks.plans.typed_targets import HertzConstraints, Schema, Secondary, TypedTargets, within


class Speed(TypedTargets):
    """Slow."""

    target_type: Literal[TargetType.SPEED]
    target_value: Annotated[float, within(5, 20, "Hz")]
    secondary_targets: Secondary = Secondary()
    constraints: HertzConstraints = HertzConstraints()


SCHEMA = Schema("MIXER", "Stirs a basin", (Speed,))
'''


def site(*actuators: dict[str, object]) -> Site:
    units = {"elevation": "m", "flow": "m**3/s", "volume": "m**3", "power": "MW"}
    content = {"site": "dam", "name": "Dam", "model": "any", "time_zone": "UTC", "display_units": units}
    return Site.model_validate({**content, "actuators": list(actuators)})


def actuator(resource_type: str, target: str, unit: str, low: str, high: str) -> dict[str, object]:
    return {"resource": "A1", "type": resource_type, "target": target, "unit": unit, "minimum": low, "maximum": high}


def planned(resource_type: str, targets: Targets) -> PlanSubmission:
    interval = PlanInterval(
        resource="A1",
        resource_type=resource_type,
        interval_start=NOW,
        interval_end=NOW + timedelta(hours=1),
        targets=targets,
    )
    return PlanSubmission(submission_id="s1", publisher="acme", site="dam", created_at=NOW, intervals=(interval,))


def generic(target_type: TargetType, value: float, **parts: dict[str, float]) -> GenericTargets:
    return GenericTargets(target_type=target_type, target_value=value, **parts)


def judged(described: dict[str, object], targets: Targets) -> tuple[Refusal, ...]:
    return refusals(planned(str(described["type"]), targets), actuators_of({"dam": site(described)}), NOW)


PUMP = actuator("PUMP", "SPEED", "Hz", "20 Hz", "50 Hz")
VALVE = actuator("VALVE", "POSITION", "%", "0 %", "100 %")
BLOWER = actuator("BLOWER", "SPEED", "Hz", "20 Hz", "50 Hz")
GATE = actuator("GATE", "POSITION", "%", "0 %", "80 %")
TURBINE = actuator("TURBINE", "POWER", "MW", "800 kW", "5.8 MW")
COMPRESSOR = actuator("COMPRESSOR", "PRESSURE", "bar", "5 bar", "9 bar")


def constraints(max_rate_of_change: float, deadband: float) -> dict[str, float]:
    return {"max_rate_of_change": max_rate_of_change, "deadband": deadband}


@pytest.mark.parametrize(
    ("described", "targets"),
    [
        (
            PUMP,
            generic(
                TargetType.SPEED,
                42.3,
                secondary_targets={"power_kw": 125, "flow_m3h": 850, "level_m": 2.5, "pressure_bar": 4},
                constraints=constraints(5.0, 0.2),
            ),
        ),
        (VALVE, generic(TargetType.POSITION, 75, constraints=constraints(10.0, 1.0))),
        (BLOWER, generic(TargetType.SPEED, 35, constraints=constraints(3.0, 0.5))),
        (GATE, generic(TargetType.POSITION, 80, secondary_targets={"flow_m3s": 40, "level_m": 351.2})),
        (TURBINE, generic(TargetType.POWER, 0.8, secondary_targets={"power_mw": 0.8, "flow_m3s": 4})),
        (COMPRESSOR, generic(TargetType.PRESSURE, 7, constraints=constraints(0.5, 0.1))),
        (PUMP, PumpTargets(suggested_speed_hz=42.3, target_flow_m3h=850)),
    ],
)
def test_what_the_type_allows_is_accepted(described: dict[str, object], targets: Targets) -> None:
    assert judged(described, targets) == ()


@pytest.mark.parametrize(
    ("described", "targets", "field", "value", "expected"),
    [
        (
            VALVE,
            generic(TargetType.POSITION, 75, constraints={"colour": 1}),
            "constraints.colour",
            1,
            "one of max_rate_of_change, deadband",
        ),
        (
            VALVE,
            generic(TargetType.POSITION, 75, secondary_targets={"flow_m3s": 1}),
            "secondary_targets.flow_m3s",
            1,
            "one of flow_m3h, power_kw, level_m, pressure_bar",
        ),
        (
            TURBINE,
            generic(TargetType.POWER, 2, secondary_targets={"power_kw": 2000}),
            "secondary_targets.power_kw",
            2000,
            "one of flow_m3s, power_mw, level_m",
        ),
        (
            VALVE,
            generic(TargetType.POSITION, 75, constraints=constraints(10, 20.1)),
            "constraints.deadband",
            20.1,
            "0 to 20 %",
        ),
        (
            BLOWER,
            generic(TargetType.SPEED, 35, constraints=constraints(0, 0)),
            "constraints.max_rate_of_change",
            0,
            "more than 0 to 60 Hz per step",
        ),
        (GATE, generic(TargetType.POSITION, 80.1), "target_value", 80.1, "0 to 80 %"),
        (VALVE, generic(TargetType.SPEED, 30), "target_type", "SPEED", "POSITION"),
        (GATE, PumpTargets(suggested_speed_hz=30), "kind", "pump", "generic, for all but pumps"),
    ],
)
def test_what_it_does_not_is_refused_with_field_value_and_what_is_right(
    described: dict[str, object], targets: Targets, field: str, value: object, expected: str
) -> None:
    assert judged(described, targets) == (
        Refusal(field=f"intervals.0.targets.{field}", value=value, expected=expected),
    )


@pytest.mark.parametrize(
    ("described", "wrong"),
    [
        (actuator("MIXER", "SPEED", "Hz", "5 Hz", "20 Hz"), "type: 'MIXER' is no resource type; one of BLOWER, COMPR"),
        (
            actuator("GATE", "PRESSURE", "bar", "0 bar", "1 bar"),
            "target: a GATE is not planned by PRESSURE; one of POS",
        ),
        (
            actuator("TURBINE", "POWER", "kW", "0 kW", "1 kW"),
            "unit: POWER of a TURBINE is not planned in 'kW'; 'MW' is",
        ),
        (actuator("GATE", "POSITION", "%", "0 %", "101 %"), "maximum: 101 % is beyond what POSITION of a GATE may be"),
        (actuator("GATE", "POSITION", "%", "9 %", "8 %"), "minimum: 9 % is above the maximum, 8 %"),
    ],
)
def test_an_actuator_that_its_type_does_not_allow_is_named(described: dict[str, object], wrong: str) -> None:
    with pytest.raises(ValueError, match=r"site dam: actuators\.0\.") as raised:
        actuators_of({"dam": site(described)})
    assert wrong in str(raised.value)


@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=SCHEMAS.keys())
def test_each_type_says_what_it_allows_as_json_schema(schema: Schema) -> None:
    document = schema.json_schema()
    Draft202012Validator.check_schema(document)
    validator = Draft202012Validator(document)
    for target_type in schema.by_target_type:
        assert schema.unit_of(target_type)
        assert not validator.is_valid({"target_type": target_type, "target_value": 1, "colour": 1})
        assert validator.is_valid({"target_type": target_type, "target_value": 1})


async def test_a_new_type_is_a_new_file(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mixer.py").write_text(MIXER)
    monkeypatch.setattr(resource_types, "__path__", [*resource_types.__path__, str(tmp_path)])
    schemas = read_schemas()
    assert set(schemas) - set(SCHEMAS) == {"MIXER"}
    known = actuators_of({"dam": site(actuator("MIXER", "SPEED", "Hz", "5 Hz", "18 Hz"))}, schemas)
    wish = planned("MIXER", generic(TargetType.SPEED, 12))
    assert refusals(wish, known, NOW, schemas) == ()
    [refusal] = refusals(planned("MIXER", generic(TargetType.SPEED, 19)), known, NOW, schemas)
    assert refusal.expected == "5 to 18 Hz"
    assert (await stored(database_url, wish, known, schemas)).resource_type == "MIXER"


async def stored(
    database_url: str, wish: PlanSubmission, known: dict[tuple[str, str], Actuator], schemas: Mapping[str, Schema]
) -> Plan:
    await asyncio.to_thread(upgrade, database_url, "plans", dict(migration_folders())["plans"])
    database = Database(database_url)
    store = PlanStore(database)
    await store.register(known.values(), NOW, schemas)
    reply = await store.accept(wish, NOW)
    plan = await store.find(reply.plan_ids[0])
    await database.close()
    assert plan is not None
    return plan


def test_two_files_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "stirrer.py").write_text(MIXER.replace("MIXER", "GATE"))
    monkeypatch.setattr(resource_types, "__path__", [*resource_types.__path__, str(tmp_path)])
    with pytest.raises(ValueError, match=r"stirrer\.py: GATE has a file already"):
        read_schemas()
