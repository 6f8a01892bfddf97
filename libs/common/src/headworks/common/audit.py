"""The audit: a record of who did what, whose entries are chained by their hashes so that no one can be changed unseen.

Each link carries its chain's name, its sequence, the hash of the link before it and its own, over all of it: a change, a gap, a
swap and an entry moved from another chain break it. Whoever can rewrite a whole chain can make it whole again, and a cut-off end
leaves no trace in what remains: that is why a chain is kept at two places and compared.
"""

import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from headworks.common.messages import Instant

BEGINNING = "0" * 64
"""What stands for the hash before the first link of a chain."""
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
ChainName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]{0,99}$")]
Body = Mapping[str, Any]


class Category(StrEnum):
    """What an entry is of: the categories of IEC 62443-4-2 CR 2.8."""

    ACCESS_CONTROL = "access_control"
    REQUEST_ERROR = "request_error"
    CONTROL_SYSTEM = "control_system"
    BACKUP_AND_RESTORE = "backup_and_restore"
    CONFIGURATION = "configuration"
    AUDIT_LOG = "audit_log"


class Result(StrEnum):
    """How it ended. Pending waits for somebody, such as a second person."""

    SUCCESS = "success"
    REFUSED = "refused"
    FAILURE = "failure"
    PENDING = "pending"


class AuditEvent(BaseModel):
    """One event with the fields of IEC 62443-4-2 CR 2.8, who caused it, and what it was on."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    event_id: str = Field(default_factory=lambda: uuid.uuid4().hex)
    at: Instant
    source: str = Field(description="where it happened: the component, and the caller's address where there is one")
    category: Category
    event_type: str = Field(description="what happened, such as e_stop_pressed")
    result: Result
    actor: str = Field(description="the person, service or component that caused it")
    subject: str = Field(default="", description="what it was on: a site, an actuator, a plan")
    reason: str = ""
    details: dict[str, Any] = Field(default_factory=dict)


class Link(BaseModel):
    """An entry in its chain."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    chain: ChainName
    sequence: int = Field(ge=1)
    previous: Sha256
    hash: Sha256
    kind: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,20}$")]
    body: dict[str, Any]

    @property
    def right_hash(self) -> str:
        """The hash that the link's content has."""
        return _hash(self.chain, self.sequence, self.previous, self.kind, self.body)

    def line(self) -> str:
        """The link as one line of a file, always the same for the same link."""
        return canonical(self.model_dump(mode="json"))


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain goes on."""

    chain: str
    sequence: int = 0
    hash: str = BEGINNING

    def link(self, kind: str, body: Body) -> Link:
        """The next link, with what it holds. Raises ValueError for NaN, which JSON has not."""
        content = json.loads(canonical(body))
        sequence = self.sequence + 1
        own = _hash(self.chain, sequence, self.hash, kind, content)
        return Link(chain=self.chain, sequence=sequence, previous=self.hash, hash=own, kind=kind, body=content)

    def line(self, kind: str, body: Body) -> tuple[str, "Head"]:
        """The next link as one line of a file, and the head after it: the line of `link`, made in a third of its time, for
        control waits for it. Raises ValueError for NaN, which JSON has not.
        """
        text, sequence = canonical(body), self.sequence + 1
        rest = {"chain": self.chain, "kind": kind, "previous": self.hash, "sequence": sequence}
        own = hashlib.sha256(_with_body(text, rest).encode()).hexdigest()
        return _with_body(text, rest | {"hash": own}), Head(self.chain, sequence, own)

    def after(self, link: Link) -> "Head":
        """The head once the link is kept."""
        return replace(self, sequence=link.sequence, hash=link.hash)


@dataclass(frozen=True, slots=True)
class Whole:
    """Every link is as it was written. `first` and `last` are sequences; a chain without links has last = first - 1."""

    first: int
    last: int
    hash: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The first place where a chain is not what was written."""

    where: str
    why: str


def canonical(body: Body) -> str:
    """JSON that is the same for the same content. Raises ValueError for what JSON has not."""
    return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def read_link(line: str) -> Link | None:
    """The link that a line holds; None when it is none, or is written in any other way than `Link.line` writes it."""
    try:
        link = Link.model_validate_json(line)
        return link if link.line() == line else None
    except ValueError:
        return None


def read_links(lines: Iterable[str]) -> Iterator[tuple[str, Link | None]]:
    """Each line's number, from 1, with its link."""
    for number, line in enumerate(lines, start=1):
        yield f"line {number}", read_link(line.rstrip("\n"))


def verify(links: Iterable[tuple[str, Link | None]], *, begins: Head | None = None) -> Whole | Broken:
    """Whether links follow one another unchanged; each comes with its place. The first broken one is named.

    Without `begins` the first link may be any (older ones may have been set aside), but sequence 1 must begin the chain.
    """
    head, first = begins, begins.sequence + 1 if begins else 1
    for where, link in links:
        if link is None:
            return Broken(where, "it is not a link, or not as it was written")
        if head is None:
            head, first = _before(link), link.sequence
        wrong = _wrong(link, head)
        if wrong:
            return Broken(f"{where}, sequence {link.sequence} of {link.chain}", wrong)
        head = head.after(link)
    return Whole(first, head.sequence if head else 0, head.hash if head else BEGINNING)


def _before(link: Link) -> Head:
    return Head(link.chain, link.sequence - 1, BEGINNING if link.sequence == 1 else link.previous)


def _wrong(link: Link, head: Head) -> str:
    """Why the link cannot follow, if it cannot."""
    if link.chain != head.chain:
        return f"it is of another chain than {head.chain}"
    if link.sequence != head.sequence + 1:
        return f"sequence {head.sequence + 1} was expected: entries are missing, doubled or swapped"
    if link.previous != head.hash:
        return "it does not follow the entry before it: that one was changed, or this one was put in"
    if link.hash != link.right_hash:
        return "its content was changed"
    return ""


def _with_body(text: str, rest: Body) -> str:
    """The canonical JSON of a link whose body is this text: "body" is the first of its fields."""
    return f'{{"body":{text},{canonical(rest)[1:]}'


def _hash(chain: str, sequence: int, previous: str, kind: str, body: Body) -> str:
    content = {"chain": chain, "sequence": sequence, "previous": previous, "kind": kind, "body": body}
    return hashlib.sha256(canonical(content).encode()).hexdigest()
