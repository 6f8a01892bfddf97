"""Whether the gateway's record is what was written: the chain in the local file, those in the table, and both compared."""

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from headworks.common.audit import Broken, Head, Link, Whole, canonical, read_link, read_links, verify
from headworks.control_gateway.journal import BEFORE, FILE, MARK, whole_lines
from headworks.control_gateway.tables import chain as chain_table

PAGE = 5000


@dataclass(frozen=True, slots=True)
class Kept:
    """What a place holds of a chain, verified: each sequence with its hash."""

    chain: str
    whole: Whole
    hashes: dict[int, str]


def verify_file(folder: Path) -> Kept | Broken | None:
    """The chain of a state folder, what was set aside before it included; None where there is none."""
    links: list[tuple[str, Link | None]] = []
    for name in (BEFORE, FILE):
        links += [(f"{name} {where}", link) for where, link in read_links(whole_lines(folder / name))]
    return _kept(links)


async def verify_table(connection: AsyncConnection) -> tuple[list[Kept], Broken | None]:
    """Every chain of the table from its beginning, up to the first that is broken."""
    kept: list[Kept] = []
    names = (await connection.execute(select(chain_table.c.chain).distinct().order_by(chain_table.c.chain))).scalars()
    for name in names.all():
        links = [row async for row in _rows(connection, name)]
        found = _kept(links, begins=Head(name))
        if isinstance(found, Broken):
            return kept, found
        if found is not None:
            kept.append(found)
    return kept, None


def confirmed(folder: Path) -> Head | None:
    """The newest link that the database took, by what the gateway keeps beside the file; None where there is none.

    Ask before the table is read: a gateway that runs meanwhile ships more.
    """
    try:
        position = int((folder / MARK).read_text())
    except (OSError, ValueError):
        position = 0
    for name, until in ((FILE, position), (BEFORE, None)):
        for line in reversed(whole_lines(folder / name, until)):
            link = read_link(line)
            if link is not None:
                return Head(link.chain, link.sequence, link.hash)
    return None


def compare(file: Kept, table: Iterable[Kept], taken: Head | None = None) -> Broken | None:
    """Where file and table differ; the file may be ahead by what is not shipped yet, the table never. `taken` is what the
    database once confirmed.
    """
    stored = next((kept for kept in table if kept.chain == file.chain), None)
    last = stored.whole.last if stored is not None else 0
    if taken is not None and taken.chain == file.chain and taken.sequence > last:
        missing = (
            f"it took entries up to {taken.sequence}: its end was cut off, or it was restored from an older backup"
        )
        return Broken(f"table, sequence {last + 1} of {file.chain}", missing)
    if stored is None:
        return None if file.whole.first == 1 else Broken(f"chain {file.chain}", "the table holds nothing of it")
    if stored.whole.last > file.whole.last:
        missing = f"the table goes on to {stored.whole.last}: the end of the file was cut off"
        return Broken(f"file, sequence {file.whole.last + 1} of {file.chain}", missing)
    if stored.whole.last < file.whole.first - 1:
        missing = f"the table ends at {stored.whole.last}, the file begins at {file.whole.first}"
        return Broken(f"table, sequence {stored.whole.last + 1} of {file.chain}", missing)
    for sequence, own in file.hashes.items():
        if stored.hashes.get(sequence, own) != own:
            return Broken(f"sequence {sequence} of {file.chain}", "file and table hold different entries")
    return None


async def _rows(connection: AsyncConnection, name: str) -> AsyncIterator[tuple[str, Link | None]]:
    t, last = chain_table, 0
    while True:
        page = select(t).where(t.c.chain == name, t.c.sequence > last).order_by(t.c.sequence).limit(PAGE)
        rows = (await connection.execute(page)).all()
        for row in rows:
            rest = {"chain": row.chain, "hash": row.hash, "kind": row.kind}
            rest |= {"previous": row.previous, "sequence": row.sequence}
            yield f"table, row {row.sequence}", read_link(f'{{"body":{row.body},{canonical(rest)[1:]}')
        if len(rows) < PAGE:
            return
        last = rows[-1].sequence


def _kept(links: list[tuple[str, Link | None]], begins: Head | None = None) -> Kept | Broken | None:
    found = verify(links, begins=begins)
    if isinstance(found, Broken):
        return found
    good = [link for _where, link in links if link is not None]
    return Kept(good[0].chain, found, {link.sequence: link.hash for link in good}) if good else None
