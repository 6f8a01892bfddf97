"""Historian files over the API and from the shell: stored whole or not at all, every doubt told, and who brought it kept."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from collect_rig import Serve
from fastapi import FastAPI, Response
from sqlalchemy import text
from typer.testing import CliRunner

from headworks.common.auth import Authenticator, Issuer, Role
from headworks.common.cli import create_app as create_command
from headworks.common.clock import Clock
from headworks.common.database import Database
from headworks.common.messages import Basis, Quality
from headworks.common.settings import ServiceSettings
from headworks.ingest import import_api
from headworks.ingest.api import create_api
from headworks.ingest.import_store import ImportStore
from headworks.ingest.store import SeriesStore
from headworks.waterway.series import TUNNEL_INFLOW, TUNNEL_LEVEL
from headworks.waterway.site import Site

NOW = datetime(2026, 2, 17, 21, 30, tzinfo=UTC)
CLOCK = Clock(NOW, wall_epoch_s=0.0, speed=1e-20)
SECRET = "a-secret-of-these-tests-that-is-long-enough"
PLAIN: dict[str, Any] = {
    "kind": "record",
    "step": "15 min",
    "time": {"column": "time", "formats": ["%Y-%m-%d %H:%M"]},
    "columns": [
        {"column": "L1", "series": "tunnel_level", "unit": "m", "stands_for": "instant", "range": ["0 m", "14 m"]},
        {"column": "F1", "series": "tunnel_inflow", "unit": "m**3/(15*min)", "stands_for": "step_before"},
    ],
}
ROWS = "time,L1,F1\n2026-02-16 00:00,1.5,900\n2026-02-16 00:15,-0.1,900\n2026-02-16 00:30,x,\n"
FIRST = datetime(2026, 2, 15, 22, tzinfo=UTC)
QUARTER, DAY = timedelta(minutes=15), timedelta(days=1)


class Caller:
    """Sends files to the API in a role."""

    def __init__(self, url: str, client: httpx.AsyncClient, store: SeriesStore) -> None:
        self.url, self.client, self.store = url, client, store

    def token(self, role: Role) -> str:
        return Issuer(SECRET, "headworks", "headworks").issue("ann", role, timedelta(minutes=5))

    async def send(
        self, content: bytes | str = ROWS, site: str = "blominmaki", role: Role = Role.ENGINEER, **query: str
    ) -> httpx.Response:
        return await self.client.post(
            f"/sites/{site}/imports",
            files={"file": ("record.csv", content if isinstance(content, bytes) else content.encode())},
            params=query,
            headers={"Authorization": f"Bearer {self.token(role)}", "Accept": "application/json"},
        )

    async def notes(self, site: str = "blominmaki") -> Any:
        headers = {"Authorization": f"Bearer {self.token(Role.VIEWER)}"}
        answer = await self.client.get(f"/sites/{site}/imports", headers=headers)
        assert answer.status_code == 200
        return answer.json()


@pytest.fixture
def plain(station: Site) -> Site:
    """The station, with a plain mapping before its own."""
    section = {"plain": PLAIN, **station.section("import")}
    return station.model_copy(update={"import": section})


@pytest.fixture
def plain_file(sites_folder: Path, tmp_path: Path) -> Path:
    """The station's site file with the plain mapping before its own."""
    content = (sites_folder / "blominmaki.yaml").read_text(encoding="utf-8")
    file = tmp_path / "blominmaki.yaml"
    file.write_text(content.replace("\nimport:\n", f"\nimport:\n  plain: {json.dumps(PLAIN)}\n"), encoding="utf-8")
    return file


@pytest.fixture
async def ingest(serve: Serve, site: Site, plain: Site, database: Database, tmp_path: Path) -> AsyncIterator[Caller]:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    store = SeriesStore(database)
    bare = site.model_copy(update={"import": None})
    app = create_api({"blominmaki": plain, "abay": bare}, store, ImportStore(database), {}, CLOCK)
    app.state.authenticator = Authenticator(ServiceSettings(jwt_secret_file=secret))
    server = await serve(app)
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        yield Caller(server.url, client, store)


# ---------------------------------------------------------------- the API


async def test_a_file_is_stored_with_the_quality_of_each_value_and_told(ingest: Caller) -> None:
    answer = await ingest.send()
    assert answer.status_code == 201
    report = answer.json()
    assert (report["mapping"], report["rows"], report["stored"]) == ("plain", 3, 6)
    assert {(k["kind"], k["quality"], k["count"]) for k in report["kinds"]} == {
        ("out_of_range", "SUSPECT", 1),
        ("not_a_number", "BAD", 1),
        ("value_missing", "MISSING", 1),
    }
    levels = await ingest.store.values("blominmaki", TUNNEL_LEVEL, FIRST, FIRST + DAY, Basis.INSTANT, None)
    assert [(s.valid_at, s.value, s.quality) for s in levels] == [
        (FIRST, 1.5, Quality.GOOD),
        (FIRST + QUARTER, -0.1, Quality.SUSPECT),
        (FIRST + 2 * QUARTER, None, Quality.BAD),
    ]
    inflows = await ingest.store.values("blominmaki", TUNNEL_INFLOW, FIRST - QUARTER, FIRST + DAY, None, None)
    assert [(s.valid_at, s.basis) for s in inflows] == [
        (FIRST + (i - 1) * QUARTER, Basis.QUARTER_HOUR_MEAN) for i in range(3)
    ]


async def test_who_brought_which_file_is_kept(ingest: Caller) -> None:
    assert await ingest.notes() == []
    assert await ingest.notes("abay") == []
    report = (await ingest.send()).json()
    [note] = await ingest.notes()
    assert (note["imported_by"], note["file_name"], note["known_at"]) == ("ann", "record.csv", "2026-02-17T21:30:00Z")
    assert len(note["sha256"]) == 64
    assert note["report"] == report


async def test_the_same_file_again_stores_nothing_new(ingest: Caller) -> None:
    await ingest.send()
    assert (await ingest.send()).json()["stored"] == 0
    changed = ROWS.replace("1.5", "1.6")
    assert (await ingest.send(changed)).json()["stored"] == 1


async def test_a_file_may_be_checked_without_storing_it(ingest: Caller) -> None:
    answer = await ingest.send(check="true")
    assert (answer.status_code, answer.json()["stored"]) == (200, None)
    assert await ingest.store.series("blominmaki") == []
    assert await ingest.notes() == []


async def test_a_table_of_volumes_is_compared_with_the_curve(ingest: Caller) -> None:
    answer = await ingest.send("Level L1 m,Volume V m³\n2.4,10350\n", mapping="volume_table")
    assert answer.status_code == 200
    assert (answer.json()["kind"], answer.json()["largest_difference_m3"]) == ("level_volume", 0.0)


async def test_the_real_record_is_taken_in_whole(ingest: Caller, headworks_data: Path) -> None:
    content = (headworks_data / "hsy_blominmaki_2024-11.csv").read_bytes()
    answer = await ingest.send(content, mapping="quarter_hours")
    assert answer.json()["stored"] == 1536 * 30
    summaries = await ingest.store.series("blominmaki")
    assert (len(summaries), {s.values for s in summaries}) == (30, {1536})


async def test_importing_is_for_engineers(ingest: Caller) -> None:
    for role in (Role.VIEWER, Role.OPERATOR):
        assert (await ingest.send(role=role)).status_code == 403


@pytest.mark.parametrize(
    ("name", "content", "mapping", "status", "says"),
    [
        ("elsewhere", ROWS, "plain", 404, "No such site"),
        ("abay", ROWS, "plain", 409, "the site file of abay has no section 'import'"),
        ("blominmaki", ROWS, "other", 422, "mapping='other' must be one of plain, quarter_hours"),
        ("blominmaki", "a,b\n1,2\n", "plain", 422, "column 'L1' is missing"),
        ("blominmaki", "", "plain", 422, "the file is empty"),
        ("blominmaki", b"\xff\xfe\x00", "plain", 422, "is no CSV text"),
    ],
)
async def test_what_cannot_be_imported_is_refused_with_its_reason(
    ingest: Caller, name: str, content: str | bytes, mapping: str, status: int, says: str
) -> None:
    answer = await ingest.send(content, name, mapping=mapping)
    assert answer.status_code == status
    assert says in answer.text
    assert await ingest.notes() == []


async def test_a_file_that_is_too_large_is_refused_before_it_is_read(
    ingest: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_api, "MOST_BYTES", 10)
    monkeypatch.setattr(import_api, "MULTIPART_BYTES", 10)
    answer = await ingest.send()
    assert answer.status_code == 413
    assert "10 bytes are the most" in answer.json()["detail"]


async def test_a_body_of_unknown_length_or_without_a_file_is_refused(ingest: Caller) -> None:
    headers = {"Authorization": f"Bearer {ingest.token(Role.ENGINEER)}"}

    async def parts() -> AsyncIterator[bytes]:
        yield b"x"

    path = "/sites/blominmaki/imports"
    assert (await ingest.client.post(path, content=parts(), headers=headers)).status_code == 411
    assert (await ingest.client.post(path, data={"file": "text"}, headers=headers)).status_code == 422
    broken = headers | {"Content-Type": "multipart/form-data; boundary=x"}
    assert (await ingest.client.post(path, content=b"nothing", headers=broken)).status_code in {400, 422}


async def test_nothing_is_half_done_when_storing_breaks(ingest: Caller, database: Database) -> None:
    async with database.transaction() as connection:
        await connection.execute(text("alter table ingest.imports rename to gone"))
    with pytest.raises(httpx.HTTPStatusError):
        (await ingest.send()).raise_for_status()
    assert await ingest.store.series("blominmaki") == []


# ---------------------------------------------------------------- progress


async def events(ingest: Caller, content: str) -> list[tuple[str, Any]]:
    headers = {"Authorization": f"Bearer {ingest.token(Role.ENGINEER)}", "Accept": "text/event-stream"}
    files = {"file": ("record.csv", content.encode())}
    answer = await ingest.client.post("/sites/blominmaki/imports", files=files, headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    kinds = [line.removeprefix("event: ") for line in answer.text.splitlines() if line.startswith("event: ")]
    data = [json.loads(line.removeprefix("data: ")) for line in answer.text.splitlines() if line.startswith("data: ")]
    return list(zip(kinds, data, strict=True))


async def test_progress_comes_as_events_and_the_report_at_the_end(ingest: Caller) -> None:
    *progress, (last, report) = await events(ingest, ROWS)
    assert {kind for kind, _ in progress} == {"progress"}
    assert (progress[-1][1]["stage"], progress[-1][1]["share"]) == ("storing", 1.0)
    assert (last, report["stored"]) == ("report", 6)


async def test_a_refusal_comes_as_an_event_too(ingest: Caller) -> None:
    kind, problem = (await events(ingest, "a,b\n1,2\n"))[-1]
    assert (kind, problem["status"]) == ("problem", 422)
    assert "column 'L1' is missing" in problem["detail"]


# ---------------------------------------------------------------- the command


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(create_command(), ["import", *arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "record.csv"
    found.write_text(ROWS)
    return found


def test_the_command_judges_a_file_without_any_service(file: Path, plain_file: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    code, out, _ = run(str(file), "--site", str(plain_file), "--report", str(report))
    assert code == 0
    assert "mapping plain: 3 rows" in out
    assert "-0.1 m is outside 0 m to 14 m" in out
    assert json.loads(report.read_text())["series"][0]["qualities"] == {"GOOD": 1, "SUSPECT": 1, "BAD": 1, "MISSING": 0}


def test_the_command_says_when_nothing_is_wrong(plain_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "good.csv"
    file.write_text("time,L1,F1\n2026-02-16 00:00,1.5,900\n")
    code, out, _ = run(str(file), "--site", str(plain_file))
    assert code == 0
    assert "nothing was found wrong" in out


@pytest.mark.parametrize(
    ("content", "options", "says"),
    [
        ("a,b\n1,2\n", (), "column 'L1' is missing"),
        (ROWS, ("--mapping", "other"), "mapping='other' must be one of plain"),
        (ROWS, ("--to", "http://127.0.0.1:1"), "--to needs an engineer's token: give --token or HEADWORKS_TOKEN"),
        (ROWS, ("--to", "http://127.0.0.1:1", "--token", "t"), "does not answer"),
        (ROWS, ("--to", "no address", "--token", "t"), "does not answer"),
    ],
)
def test_the_command_says_why_a_file_is_not_read(
    file: Path, plain_file: Path, content: str, options: tuple[str, ...], says: str
) -> None:
    file.write_text(content)
    code, _, err = run(str(file), "--site", str(plain_file), *options)
    assert code == 2
    assert says in " ".join(err.split())


async def test_the_command_has_a_running_ingest_store_the_file(ingest: Caller, file: Path, plain_file: Path) -> None:
    options = ("--site", str(plain_file), "--to", ingest.url, "--token", ingest.token(Role.ENGINEER))
    code, out, err = await asyncio.to_thread(run, str(file), *options)
    assert (code, err.strip()) == (0, "")
    assert "6 values were new or changed and are stored" in out
    [note] = await ingest.notes()
    assert note["file_name"] == "record.csv"


@pytest.mark.parametrize(
    ("role", "content", "says"),
    [
        (Role.VIEWER, ROWS, "Not allowed: ann has the role viewer"),
        (Role.ENGINEER, "a,b\n1,2\n", "The file cannot be imported: column 'L1' is missing"),
    ],
)
async def test_the_command_says_what_a_running_ingest_refused(
    ingest: Caller, file: Path, plain_file: Path, role: Role, content: str, says: str
) -> None:
    file.write_text(content)
    options = ("--site", str(plain_file), "--to", ingest.url, "--token", ingest.token(role))
    code, _, err = await asyncio.to_thread(run, str(file), *options)
    assert code == 2
    assert says in " ".join(err.split())


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (502, "<html>bad gateway</html>", "ingest answered 502: <html>bad gateway</html>"),
        (200, ": ping\n\n", "ended its answer without a report"),
    ],
)
async def test_the_command_says_when_something_else_answers(
    serve: Serve, file: Path, plain_file: Path, status: int, body: str, says: str
) -> None:
    app = FastAPI()

    @app.post("/sites/blominmaki/imports")
    async def answer() -> Response:
        return Response(body, status)

    server = await serve(app)
    options = ("--site", str(plain_file), "--to", server.url, "--token", "t")
    code, _, err = await asyncio.to_thread(run, str(file), *options)
    assert code == 2
    assert says in " ".join(err.split())


async def test_a_database_that_is_away_is_a_refusal_that_may_be_tried_again(
    serve: Serve, plain: Site, file: Path, plain_file: Path, tmp_path: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        lost = Database(f"postgresql+asyncpg://x@127.0.0.1:{probe.getsockname()[1]}/x")
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    app = create_api({"blominmaki": plain}, SeriesStore(lost), ImportStore(lost), {}, CLOCK)
    app.state.authenticator = Authenticator(ServiceSettings(jwt_secret_file=secret))
    server = await serve(app)
    token = Issuer(SECRET, "headworks", "headworks").issue("ann", Role.ENGINEER, timedelta(minutes=5))
    options = ("--site", str(plain_file), "--to", server.url, "--token", token)
    code, _, err = await asyncio.to_thread(run, str(file), *options)
    assert code == 2
    assert "What this needs is away: Try again later; nothing is stored" in " ".join(err.split())
    await lost.close()
