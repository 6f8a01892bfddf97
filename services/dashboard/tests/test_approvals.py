"""Plans that wait for a person: shown with what they ask, decided in the person's own name, and by persons alone."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from approval_rig import record, waiting_at
from unit_plans import HOUR

from headworks.common.auth import Role
from headworks.common.messages import (
    GenericTargets,
    PumpTargets,
    ResourceType,
    TargetType,
)
from headworks.dashboard.answers import ApprovalRecord
from headworks.dashboard.approvals import MOST_STEPS, approval_of

APPROVE, REJECT = "/sites/abay/approvals/7/approve", "/sites/abay/approvals/7/reject"


@pytest.fixture
def waits(neighbour: Any, recorded: Any) -> Any:
    """A neighbour at which a plan waits."""
    for decision in ("approve", "reject"):
        waiting_at(neighbour[0], recorded.now, decision, 2.0, 2.0, 2.5)
    return neighbour[0]


async def test_what_waits_is_in_the_view_with_what_it_asks(dashboard: Any, waits: Any, recorded: Any) -> None:
    async with dashboard.signed_in("vera") as client:
        view = (await client.get("/sites/abay/view")).json()
    assert view["not_known"] == []
    [approval] = view["approvals"]
    assert (approval["publisher"], approval["asked_by"], approval["priority"]) == ("acme", "acme", 2)
    assert (approval["reason"], approval["roles"], approval["steps_left_out"]) == ("peak", ["operator", "engineer"], 0)
    assert [(s["resource"], s["text"]) for s in approval["steps"]] == [("OXPH", "power 2 MW"), ("OXPH", "power 2.5 MW")]
    ends = approval["steps"][0]["end"]
    assert ends == f"{recorded.now + 2 * HOUR:%Y-%m-%dT%H:%M:%S.%fZ}".replace(".000000Z", "Z")


async def test_where_nothing_waits_the_view_says_so_and_where_plans_is_silent_it_is_not_known(
    dashboard: Any, neighbour: Any
) -> None:
    async with dashboard.signed_in("vera") as client:
        assert (await client.get("/sites/abay/view")).json()["approvals"] == []
        del neighbour[0].answers["/approvals?station=blominmaki"]
        view = (await client.get("/sites/blominmaki/view")).json()
    assert view["approvals"] is None
    assert [(e["part"], e["service"]) for e in view["not_known"]] == [("plans that wait for approval", "plans")]


@pytest.mark.parametrize(("path", "state"), [(APPROVE, "APPROVED"), (REJECT, "REJECTED")])
async def test_a_decision_goes_on_in_the_person_s_own_name(dashboard: Any, waits: Any, path: str, state: str) -> None:
    async with dashboard.signed_in("otto") as client:
        answer = await client.post(path, json={"reason": "seen"})
    assert (answer.status_code, answer.json()) == (200, {"approval_id": 7, "state": state, "decided_by": "otto"})
    assert waits.orders == [(path.removeprefix("/sites/abay"), "otto", "operator", {"reason": "seen"})]


async def test_plans_own_refusal_comes_back_in_its_words(dashboard: Any, waits: Any) -> None:
    detail = "vera has the role viewer; one of operator, engineer is needed"
    waits.refusal = (403, {"title": "Not yours to decide", "status": 403, "detail": detail})
    async with dashboard.signed_in("vera") as client:
        answer = await client.post(APPROVE, json={"reason": "seen"})
    assert (answer.status_code, answer.json()["detail"]) == (403, detail)


async def test_a_machine_decides_nothing_through_the_page_either(dashboard: Any, waits: Any) -> None:
    token = dashboard.issuer.issue("robot", Role.SERVICE, timedelta(minutes=1))
    async with httpx.AsyncClient(base_url=dashboard.url, headers={"Authorization": f"Bearer {token}"}) as client:
        answer = await client.post(APPROVE, json={"reason": "seen"})
    assert answer.status_code == 403
    assert answer.json()["detail"] == "robot is no person: services and API keys approve nothing"
    assert waits.orders == []


async def test_an_approval_of_another_site_or_of_none_is_not_found(dashboard: Any, waits: Any) -> None:
    async with dashboard.signed_in("otto") as client:
        for path in (APPROVE.replace("abay", "blominmaki"), APPROVE.replace("7", "8")):
            answer = await client.post(path, json={"reason": "seen"})
            assert (answer.status_code, answer.json()["title"]) == (404, "No such approval")
        for wrong in ({}, {"reason": ""}, {"reason": "x", "more": 1}):
            assert (await client.post(APPROVE, json=wrong)).status_code == 422
        assert (await client.post(APPROVE.replace("7", "0"), json={"reason": "seen"})).status_code == 422
    assert waits.orders == []


class TestAway:
    """Plans does not answer."""

    @pytest.fixture
    def addresses(self, neighbour: Any, nowhere: str) -> dict[str, str]:
        there = dict.fromkeys(("ingest", "optimizer", "control_gateway", "alerts"), neighbour[1])
        return there | {"plans": nowhere}

    async def test_nothing_is_decided(self, dashboard: Any) -> None:
        async with dashboard.signed_in("otto") as client:
            answer = await client.post(APPROVE, json={"reason": "seen"})
        assert (answer.status_code, answer.json()["title"]) == (502, "plans does not answer")


def test_steps_follow_one_another_by_actuator_and_what_is_left_out_is_counted(recorded: Any) -> None:
    now = recorded.now
    many = [2.0 + i % 2 for i in range(MOST_STEPS + 3)]
    shown = approval_of(ApprovalRecord.model_validate(record(now, *many)), {"OXPH": "MW"})
    assert (len(shown.steps), shown.steps_left_out) == (MOST_STEPS, 3)
    gap = ApprovalRecord.model_validate(record(now, 2.0, 2.0, 2.0))
    first, _, last = gap.submission.intervals
    apart = gap.model_copy(update={"submission": gap.submission.model_copy(update={"intervals": (last, first)})})
    assert [step.start for step in approval_of(apart, {}).steps] == [now, now + 2 * HOUR], "a hole is no step"


@pytest.mark.parametrize(
    ("targets", "text"),
    [
        (PumpTargets(suggested_speed_hz=0), "off"),
        (PumpTargets(suggested_speed_hz=49.5), "49.5 Hz"),
        (PumpTargets(target_level_m=2, target_power_kw=360), "360 kW, 2 m"),
        (GenericTargets(target_type=TargetType.POSITION, target_value=75), "position 75 %"),
    ],
)
def test_a_target_is_told_in_words(recorded: Any, targets: PumpTargets | GenericTargets, text: str) -> None:
    kept = ApprovalRecord.model_validate(record(recorded.now, 2.0))
    kind = ResourceType.PUMP if isinstance(targets, PumpTargets) else ResourceType.VALVE
    [only] = kept.submission.intervals
    asked = only.model_copy(update={"targets": targets, "resource_type": kind})
    changed = kept.model_copy(update={"submission": kept.submission.model_copy(update={"intervals": (asked,)})})
    assert [step.text for step in approval_of(changed, {"OXPH": "%"}).steps] == [text]
