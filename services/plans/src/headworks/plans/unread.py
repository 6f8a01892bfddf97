"""What is answered to a message that is no submission: under its own id where that can be read, with every reason."""

import json
import math
import re
from typing import get_args

from pydantic import JsonValue, ValidationError

from headworks.common.handling import Delivery
from headworks.common.messages import Id, PlanSubmission, Refusal

ID_FORM = re.compile(get_args(Id)[1].pattern)
MOST_REASONS = 50
LONGEST_VALUE = 200


def id_of(data: bytes, delivery: Delivery) -> str:
    """The submission's id as the message says it; else `message-<n>`, n its place, which the publish's confirmation told."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        content = None
    said = content.get("submission_id") if isinstance(content, dict) else None
    return said if isinstance(said, str) and ID_FORM.fullmatch(said) else f"message-{delivery.sequence}"


def reasons_of(error: ValidationError) -> tuple[Refusal, ...]:
    """Each field that is wrong, its value cut short, and what would be right."""
    return tuple(
        Refusal(field=".".join(map(str, each["loc"])) or "message", value=_shown(each["input"]), expected=each["msg"])
        for each in error.errors(include_url=False, include_context=False)[:MOST_REASONS]
    )


def misplaced(submission: PlanSubmission, delivery: Delivery) -> tuple[Refusal, ...]:
    """Where a submission names another publisher or site than its subject does."""
    _, _, publisher, site = delivery.subject.split(".")
    said = {"publisher": (submission.publisher, publisher), "site": (submission.site, site)}
    return tuple(
        Refusal(field=field, value=value, expected=f"{own}, as in the subject {delivery.subject}")
        for field, (value, own) in said.items()
        if value != own
    )


def _shown(value: object) -> JsonValue:
    """A plain value as JSON can carry it anywhere; what is more is left out."""
    match value:
        case bool():
            return value
        case int() if abs(value) < 2**53:
            return value
        case float() if math.isfinite(value):
            return value
        case str():
            return value[:LONGEST_VALUE].encode("utf-8", "replace").decode()
        case _:
            return None
