"""The bus' document: valid AsyncAPI 3.0, whole, and true to the registry.

asyncapi-3.0.0.schema.json is the official schema (package @asyncapi/specs 6.11.1, Apache-2.0), without its white space.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from headworks.common.asyncapi import asyncapi_document
from headworks.common.subjects import SERVICES, SUBJECTS

SCHEMA = json.loads(Path(__file__).with_name("asyncapi-3.0.0.schema.json").read_text())


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return asyncapi_document()


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for inner in part.values():
            yield from references(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from references(inner)


def resolved(document: dict[str, Any], reference: str) -> Any:
    part: Any = document
    for step in reference.removeprefix("#/").split("/"):
        part = part[step]
    return part


def test_it_is_valid_by_the_official_schema(document: dict[str, Any]) -> None:
    assert [f"{e.json_path}: {e.message[:200]}" for e in Draft7Validator(SCHEMA).iter_errors(document)] == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: document["operations"]["ingest_sends_telemetry"].pop("action"),
        lambda document: document["channels"]["telemetry"].update(address=7),
        lambda document: document["components"]["schemas"]["GenericTargets"].update(type="number-or-so"),
    ],
)
def test_the_schema_finds_what_is_wrong(spoil: Any) -> None:
    spoiled = asyncapi_document()
    spoil(spoiled)
    assert list(Draft7Validator(SCHEMA).iter_errors(spoiled))


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    found = set(references(document))
    assert len(found) > 40
    for reference in found:
        assert isinstance(resolved(document, reference), dict), reference


def test_every_subject_has_its_channel_message_and_parties(document: dict[str, Any]) -> None:
    by_address = {channel["address"]: name for name, channel in document["channels"].items()}
    assert set(by_address) == {subject.pattern for subject in SUBJECTS}
    for subject in SUBJECTS:
        channel = document["channels"][by_address[subject.pattern]]
        assert set(channel["messages"]) == {subject.message.__name__}
        assert set(channel["parameters"]) == set(subject.parameters)
        operations = [
            (operation["action"], operation["tags"][0]["name"])
            for operation in document["operations"].values()
            if operation["channel"]["$ref"] == f"#/channels/{by_address[subject.pattern]}"
        ]
        expected = [("send", p) for p in subject.publishers] + [("receive", p) for p in subject.hearers]
        assert sorted(operations) == sorted(expected)


def test_every_party_is_a_service_or_a_vendor(document: dict[str, Any]) -> None:
    parties = {tag["name"] for operation in document["operations"].values() for tag in operation["tags"]}
    assert parties == {*SERVICES, "vendor"}


def test_the_payload_is_the_message_s_own_schema(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["PlanSubmission"]["additionalProperties"] is False
    assert "submission_id" in schemas["PlanSubmission"]["required"]
    assert schemas["PlanInterval"]["properties"]["targets"]["discriminator"] == "kind"


def test_a_vendor_reads_where_its_answer_comes(document: dict[str, Any]) -> None:
    assert document["operations"]["vendor_sends_plans_submit"]["reply"]["channel"] == {"$ref": "#/channels/plans_reply"}
