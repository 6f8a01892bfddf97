"""Every error of an API is a problem detail that names the field, the value and what would be right."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field

from headworks.common.problems import FieldProblem, Problem, install_problem_handlers


class Order(BaseModel):
    power_mw: float = Field(ge=0.8, le=5.8)
    resource: str = "OXPH"


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    install_problem_handlers(app)

    @app.post("/orders")
    async def order(order: Order) -> Order:
        if order.resource != "OXPH":
            wrong = FieldProblem(field="resource", value=order.resource, expected="OXPH")
            raise Problem(404, "No such resource", f"resource={order.resource}", errors=[wrong])
        return order

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


async def test_a_problem_carries_its_fields(client: httpx.AsyncClient) -> None:
    answer = await client.post("/orders", json={"power_mw": 2, "resource": "OTHER"})
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json() == {
        "type": "about:blank",
        "title": "No such resource",
        "status": 404,
        "detail": "resource=OTHER",
        "errors": [{"field": "resource", "value": "OTHER", "expected": "OXPH"}],
    }


@pytest.mark.parametrize(
    ("body", "field", "value", "expected"),
    [
        ({"power_mw": 9.5}, "body.power_mw", 9.5, "less than or equal to 5.8"),
        ({"power_mw": "much"}, "body.power_mw", "much", "valid number"),
        ({}, "body.power_mw", None, "required"),
        ([], "body", None, "dictionary"),
    ],
)
async def test_bad_input_is_named(
    client: httpx.AsyncClient, body: object, field: str, value: object, expected: str
) -> None:
    answer = await client.post("/orders", json=body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    [error] = answer.json()["errors"]
    assert (error["field"], error["value"]) == (field, value)
    assert expected in error["expected"]


async def test_what_was_sent_is_echoed_short(client: httpx.AsyncClient) -> None:
    answer = await client.post("/orders", json={"power_mw": "x" * 100_000})
    assert len(answer.content) < 1000


@pytest.mark.parametrize(("body", "what"), [(b"{not json", "JSON"), (b"\xff\xfe", "")])
async def test_garbage_is_a_problem_too(client: httpx.AsyncClient, body: bytes, what: str) -> None:
    answer = await client.post("/orders", content=body, headers={"content-type": "application/json"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.status_code in {400, 422}
    assert what in answer.text


async def test_a_value_that_json_cannot_carry_is_still_answered(client: httpx.AsyncClient) -> None:
    body = b'{"power_mw": NaN}'
    answer = await client.post("/orders", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "body.power_mw"


async def test_an_unknown_path_and_a_wrong_method_are_problems(client: httpx.AsyncClient) -> None:
    missing, wrong = await client.get("/nowhere"), await client.get("/orders")
    assert (missing.status_code, missing.json()["title"]) == (404, "Not Found")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert wrong.headers["content-type"] == "application/problem+json"
