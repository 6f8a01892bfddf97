"""The gateway's record: a local file first, synced before a write reaches the plant, then PostgreSQL and the bus.

So control goes on, and nothing is lost, with the database and the bus down. Decisions and the audit's events stand in one chain
of hashes, in the order in which they happened.
"""

import asyncio
import contextlib
import re
import secrets
from datetime import datetime, timedelta
from pathlib import Path

import structlog
from pydantic import BaseModel, TypeAdapter, ValidationError

from headworks.common.audit import AuditEvent, Head, Link, read_link
from headworks.common.messages import Instant, Setpoint
from headworks.control_gateway.files import replace_durably, sync_folder
from headworks.control_gateway.synced_file import SyncedFile

log = structlog.get_logger(__name__)
ROTATE_BYTES = 64 << 20
"""A file of this size that is shipped whole is set aside (one is kept), so that the journal never fills the disk."""
SETPOINT, AUDIT = "setpoint", "audit"
KINDS: dict[str, type[BaseModel]] = {SETPOINT: Setpoint, AUDIT: AuditEvent}
"""What each kind of link holds."""
_instant: TypeAdapter[datetime] = TypeAdapter(Instant)
CLOCK_STEPPED = "clock_stepped"
"""The event behind which a site's decisions are in another time, by so many seconds."""
FILE, BEFORE, MARK = "journal.jsonl", "journal-before.jsonl", "journal.shipped"


class Journal:
    """An append-only file of chained entries, one JSON line each, and how far it has been shipped."""

    def __init__(self, folder: Path, rotate_bytes: int = ROTATE_BYTES, *, gateway: str = "control-gateway") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path, self._mark = folder / FILE, folder / MARK
        self._rotate_bytes, self.gateway = rotate_bytes, gateway
        self._path.touch(mode=0o600)
        sync_folder(folder)
        _chain_what_is_not(self._path, self._mark, _new_chain(gateway))
        last, spoilt = _last_link(folder)
        self._head = _new_chain(gateway) if last is None else _head_after(last, spoilt)
        self.begun_after = None if last is None else _made_at(last)
        """When the last entry was made that was there before; None where there was none, or nobody can say."""
        self._shipped = self._read_mark()
        self._file = SyncedFile(self._path, self._shipped)  # nothing is shipped before it is on the disk
        self.writable = True
        """Whether the last entry was taken."""
        self.appended = asyncio.Event()

    def _read_mark(self) -> int:
        """How far the file is shipped; when in doubt all of it is shipped again, and stored once by each entry's id."""
        try:
            shipped = int(self._mark.read_text())
        except (OSError, ValueError):
            return 0
        return shipped if 0 <= shipped <= self._path.stat().st_size else 0

    def append(self, entry: Setpoint, *, sync: bool = True) -> bool:
        """Record a decision for good; False when the disk refuses.

        Without `sync` it is handed to the system only, which outlives this process but not a power cut; see `synced`.
        """
        return self._append(SETPOINT, entry, sync=sync)

    def note(self, event: AuditEvent) -> bool:
        """Record an event of the audit for good; False when the disk refuses."""
        return self._append(AUDIT, event, sync=True)

    def sync(self) -> bool:
        """Have all that is appended on the disk, at once; False when the disk refuses."""
        try:
            self._file.sync()
        except OSError as error:
            self._tell_refusal(error)
            return False
        return True

    async def synced(self) -> bool:
        """Wait until all that is appended is on the disk; False when the disk refuses."""
        if fault := await self._file.synced():
            self._tell_refusal(fault)
        return fault is None

    def try_again(self) -> None:
        """Where a sync failed and nothing is taken any more: have what it left written anew, beside the event loop."""
        if self._file.doubted:
            self._file.begin_sync()

    def _append(self, kind: str, entry: BaseModel, *, sync: bool) -> bool:
        line, head = self._head.line(kind, entry.model_dump(mode="json"))
        try:
            self._file.append(line.encode() + b"\n", sync=sync)
        except OSError as error:
            self._tell_refusal(error)
            return False
        self._head = head
        self.writable = True
        self.appended.set()
        return True

    def _tell_refusal(self, error: OSError) -> None:
        told, self.writable = not self.writable, False
        if not told:
            with contextlib.suppress(OSError):  # the log may lie on the same full disk
                log.error("the journal cannot be written: no setpoint is", file=self._path.name, error=repr(error))

    def unshipped_links(self, most: int = 100) -> tuple[list[Link], int]:
        """The next links to ship, and the position after them. A line that is none is told of and passed over.

        What is not on the disk yet is not shipped: the database must never know a link that a power cut takes from the file.
        """
        links: list[Link] = []
        position = self._shipped
        with self._path.open("rb") as file:
            file.seek(position)
            while len(links) < most and position < self._file.on_disk:
                line = file.readline()
                link = _entry(line.decode(errors="replace").rstrip("\n"))
                if link is None:
                    log.error("a line of the journal cannot be read", file=self._path.name, position=position)
                else:
                    links.append(link)
                position += len(line)
        return links, position

    def unshipped(self, most: int = 100) -> tuple[list[Setpoint], int]:
        """The decisions among the next links to ship, and the position after them."""
        links, position = self.unshipped_links(most)
        return [Setpoint.model_validate(link.body) for link in links if link.kind == SETPOINT], position

    def since(self, begin: datetime, site: str) -> list[Setpoint]:
        """A site's decisions from `begin` on, oldest first, in the time of now: its clock may have been stepped."""
        found: list[Setpoint] = []
        by = timedelta()
        for path in (self._path, self._path.with_name(BEFORE)):
            for line in reversed(whole_lines(path)):
                link = read_link(line)
                if link is None:
                    continue
                if link.kind == AUDIT:
                    by += _stepped(link, site)
                elif link.body["site"] == site:
                    entry = Setpoint.model_validate(link.body)
                    at = entry.at + by
                    if at < begin:
                        return found[::-1]
                    found.append(entry.model_copy(update={"at": at}))
        return found[::-1]

    async def mark_shipped(self, position: int) -> None:
        """Remember that all before `position` is in the database. Raises OSError; then it is shipped again."""
        if position == self._shipped:
            return
        self._shipped = position
        if position == self._file.size >= self._rotate_bytes:
            self._path.replace(self._path.with_name(BEFORE))
            self._path.touch(mode=0o600)
            self._shipped = 0
            self._file = SyncedFile(self._path)
            replace_durably(self._mark, "0")  # before anything is appended, which the old mark would pass over
        else:
            await asyncio.to_thread(replace_durably, self._mark, str(position))


def whole_lines(path: Path, until: int | None = None) -> list[str]:
    """A file's lines, up to a position or to its end, without one that is torn there; none where there is no file."""
    try:
        content = path.read_bytes()[:until]
    except FileNotFoundError:
        return []
    return content[: content.rfind(b"\n") + 1].decode(errors="replace").split("\n")[:-1]


def head_of(folder: Path) -> Head | None:
    """Where the chain of a folder goes on: after its last link, past lines that are spoilt; None where there is none."""
    last, spoilt = _last_link(folder)
    return None if last is None else _head_after(last, spoilt)


def _last_link(folder: Path) -> tuple[Link | None, int]:
    """The last link of a folder's chain, and how many spoilt lines stand after it."""
    for name in (FILE, BEFORE):
        for spoilt, line in enumerate(reversed(whole_lines(folder / name))):
            link = read_link(line)
            if link is not None:
                return link, spoilt
    return None, 0


def _head_after(last: Link, spoilt: int) -> Head:
    return Head(last.chain, last.sequence + spoilt, last.hash)


def _made_at(link: Link) -> datetime | None:
    try:
        return _instant.validate_python(link.body.get("at"))
    except ValidationError:
        return None


def _new_chain(gateway: str) -> Head:
    """A chain of its own for each new file: one that begins again at 1 must not look like the one that was lost."""
    name = re.sub(r"[^A-Za-z0-9_\-]+", "-", gateway).strip("-") or "gateway"
    return Head(f"{name[:80]}.{secrets.token_hex(6)}")


def _chain_what_is_not(path: Path, mark: Path, head: Head) -> None:
    """Chain the entries of a journal of before there were chains; what is shipped again is stored once by each entry's id."""
    old = [_setpoint(line) for line in whole_lines(path)]
    if not old or old[0] is None:
        return
    lines = []
    for entry in old:
        if entry is not None:
            link = head.link(SETPOINT, entry.model_dump(mode="json"))
            head = head.after(link)
            lines.append(link.line() + "\n")
    mark.unlink(missing_ok=True)
    replace_durably(path, "".join(lines))


def _stepped(link: Link, site: str) -> timedelta:
    """By how much an event says that the site's clock was stepped."""
    if (link.body["event_type"], link.body["subject"]) != (CLOCK_STEPPED, site):
        return timedelta()
    return timedelta(seconds=AuditEvent.model_validate(link.body).details["by_s"])


def _entry(line: str) -> Link | None:
    """The link of a line that holds what the gateway writes."""
    link = read_link(line)
    try:
        if link is not None:
            KINDS[link.kind].model_validate(link.body)
    except (KeyError, ValidationError):
        return None
    return link


def _setpoint(line: str) -> Setpoint | None:
    try:
        return Setpoint.model_validate_json(line)
    except ValidationError:
        return None
