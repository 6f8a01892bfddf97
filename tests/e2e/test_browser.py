"""The operator's page in a real browser: sign in, live figures, the schedule, a verified setpoint, an alarm, a lost link."""

import re
from collections.abc import Iterator

import pytest
from browser_rig import PHONE
from e2e_reader import DESK, Reader, reading
from e2e_system import System
from playwright.sync_api import Browser, expect

from headworks.common.stack import DEMO_USER


@pytest.fixture
def reader(request: pytest.FixtureRequest, browser: Browser, system: System) -> Iterator[Reader]:
    with reading(
        browser, system.stack.url("dashboard"), system.stack.password, getattr(request, "param", DESK)
    ) as person:
        yield person


def test_nobody_sees_the_plant_without_signing_in(reader: Reader) -> None:
    expect(reader.page.get_by_role("button", name="Sign in")).to_be_visible()
    assert reader.page.get_by_test_id("elevation").count() == 0
    reader.sign_in("not the password")
    expect(reader.page.get_by_role("alert")).to_contain_text("Name and password do not belong together")


@pytest.mark.parametrize("reader", [DESK, PHONE], indirect=True, ids=["desk", "phone"])
def test_the_page_shows_the_plant_live_and_fits(reader: Reader, system: System, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.id
    reader.shot(f"{name}-sign-in")
    reader.sign_in()
    page = reader.page
    expect(page.get_by_test_id("link")).to_contain_text("Live")
    expect(page.get_by_test_id("mode")).to_contain_text("Auto")
    system.wait(lambda: reader.elevation_ft() is not None, "an elevation is shown")
    before = reader.elevation_ft()
    plant_ft = system.plant()["elevation_ft"]
    assert before == pytest.approx(plant_ft, abs=0.5), "it is the plant's own"
    system.wait(lambda: reader.elevation_ft() != before, "it follows the plant without a reload")
    expect(
        page.get_by_role("img", name=re.compile("^Elevation: measured .* The forecast lies between"))
    ).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("^OXPH power"))).to_be_visible()
    page.get_by_text("as a table").click()
    rows = page.get_by_role("region", name="Schedule as a table").locator("tbody tr")
    expect(rows).to_have_count(48)
    expect(page.get_by_role("heading", name="Latest run")).to_be_visible()
    expect(page.locator("section.inputs tbody tr")).to_have_count(12)
    assert not reader.scrolls_sideways()
    page.get_by_text("as a table").click()
    reader.shot(name)
    assert reader.complaints == []


def test_a_new_plan_is_seen_verified_at_the_register(reader: Reader, system: System) -> None:
    reader.sign_in()
    setpoint = reader.page.get_by_test_id("setpoint")
    expect(setpoint).to_be_visible()
    assert system.submit("seen-in-the-browser", 3.33).status_code == 201
    expect(setpoint).to_contain_text("3.33 MW")
    expect(setpoint).to_contain_text("verified")
    assert reader.complaints == []


def test_an_operator_stops_the_plant_and_acknowledges_the_alarm(reader: Reader, system: System) -> None:
    reader.sign_in()
    page = reader.page
    page.get_by_role("button", name="E-stop", exact=True).click()
    page.get_by_label("Reason").fill("browser exercise")
    page.get_by_role("button", name="Stop now").click()
    expect(page.get_by_role("alert").filter(has_text="Emergency stop is active")).to_contain_text(
        f"{DEMO_USER}: browser exercise"
    )
    acknowledge = page.get_by_role("button", name="Acknowledge: Emergency stop active")
    expect(acknowledge).to_be_visible()
    reader.shot("e-stop")
    acknowledge.click()
    expect(acknowledge).to_have_count(0)
    system.wait(lambda: system.alarm("e_stop") == "active_acknowledged", "the alerts service knows it")
    page.get_by_role("button", name="Clear e-stop").click()
    page.get_by_label("Reason").fill("exercise over")
    page.get_by_role("dialog").get_by_role("button", name="Clear e-stop").click()
    expect(page.get_by_role("alert").filter(has_text="Emergency stop is active")).to_contain_text(
        f"until a second engineer confirms: {DEMO_USER} asked to clear it"
    )
    over = {"reason": "seen"}
    second = system.call("POST", "control_gateway", "/sites/abay/e-stop/clear", caller="second", json=over)
    assert second.json()["e_stop"] is False
    expect(page.get_by_test_id("mode")).to_contain_text("Auto")
    system.wait(lambda: system.alarm("e_stop") == "normal", "the alarm is over")
    assert reader.complaints == []


def test_a_service_that_is_away_is_named_and_the_rest_stays(reader: Reader, system: System) -> None:
    reader.sign_in()
    expect(reader.page.get_by_test_id("link")).to_contain_text("Live")
    system.stack.kill("optimizer")
    try:
        notices = reader.page.get_by_label("Notices")
        expect(notices).to_contain_text("optimizer does not answer")
        expect(notices).to_contain_text("schedule and forecast")
        expect(reader.page.get_by_test_id("setpoint")).to_contain_text("MW")
        reader.shot("optimizer-away")
    finally:
        system.stack.launch("optimizer")
        system.stack.await_ready("optimizer")


def test_a_page_that_hears_nothing_says_so_and_comes_back(reader: Reader, system: System) -> None:
    reader.sign_in()
    link = reader.page.get_by_test_id("link")
    expect(link).to_contain_text("Live")
    expect(reader.page.get_by_test_id("elevation")).to_contain_text("ft")
    system.stack.kill("dashboard")
    try:
        expect(link).to_contain_text("Stale")
        expect(reader.page.get_by_role("alert").first).to_contain_text("do not act on it")
        expect(reader.page.get_by_test_id("elevation")).to_contain_text("ft")
        reader.shot("stale")
    finally:
        system.stack.launch("dashboard")
        system.stack.await_ready("dashboard")
    expect(link).to_contain_text("Live")


def test_signing_out_leaves_nothing_behind(reader: Reader) -> None:
    reader.sign_in()
    reader.page.get_by_role("button", name="Sign out").click()
    expect(reader.page.get_by_role("button", name="Sign in")).to_be_visible()
    reader.page.reload()
    expect(reader.page.get_by_role("button", name="Sign in")).to_be_visible()
    assert reader.page.context.cookies() == []
    assert reader.complaints == []
