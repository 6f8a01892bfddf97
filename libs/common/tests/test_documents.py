"""The documents: current, complete, the same every time; and a drift is named with what mends it."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from headworks.common.documents import documents, main
from headworks.common.subjects import SERVICES

METHODS = {"get", "put", "post", "delete", "patch"}


@pytest.fixture(scope="module")
def expected() -> dict[Path, str]:
    return documents()


@pytest.fixture
def command() -> typer.Typer:
    app = typer.Typer()
    app.command()(main)
    return app


def operations(expected: dict[Path, str]) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{path.stem} {method} {route}", operation)
        for path, text in expected.items()
        if path.parent.name == "openapi"
        for route, item in json.loads(text)["paths"].items()
        for method, operation in item.items()
        if method in METHODS
    ]


def test_they_are_the_same_every_time(expected: dict[Path, str]) -> None:
    assert documents() == expected


def test_every_service_and_the_bus_have_one(expected: dict[Path, str]) -> None:
    assert {path.stem for path in expected} == {*SERVICES, "asyncapi"}


def test_what_is_committed_is_what_the_code_says(command: typer.Typer, sites_folder: Path) -> None:
    result = CliRunner().invoke(command, ["--check", "--folder", str(sites_folder.parent / "docs")])
    assert (result.exit_code, result.output) == (0, "")


def test_drift_is_named_with_the_command_that_mends_it(command: typer.Typer, tmp_path: Path) -> None:
    run = CliRunner()
    assert run.invoke(command, ["--folder", str(tmp_path)]).exit_code == 0
    assert run.invoke(command, ["--folder", str(tmp_path), "--check"]).exit_code == 0
    (tmp_path / "openapi" / "plans.json").write_text("{}\n")
    (tmp_path / "openapi" / "gone.json").write_text("{}\n")
    (tmp_path / "asyncapi.json").unlink()
    result = run.invoke(command, ["--folder", str(tmp_path), "--check"])
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        f"{tmp_path}/asyncapi.json is missing",
        f"{tmp_path}/openapi/plans.json is not what the code says",
        f"{tmp_path}/openapi/gone.json belongs to no service",
        "Mend with: make docs",
    ]


def test_every_schema_in_them_is_a_json_schema(expected: dict[Path, str]) -> None:
    for text in expected.values():
        for schema in json.loads(text)["components"]["schemas"].values():
            Draft202012Validator.check_schema(schema)


def test_every_operation_wants_a_caller_but_signing_in(expected: dict[Path, str]) -> None:
    open_to_all = [name for name, operation in operations(expected) if not operation.get("security")]
    assert set(open_to_all) <= {"dashboard post /session"}


def test_operations_have_names_of_their_own_and_say_what_they_do(expected: dict[Path, str]) -> None:
    found = operations(expected)
    assert len(found) > 20
    assert [name for name, operation in found if not operation.get("description")] == []
    names = [(name.split()[0], operation["operationId"]) for name, operation in found]
    assert len(names) == len(set(names))
