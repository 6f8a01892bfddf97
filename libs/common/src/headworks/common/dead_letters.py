"""Dead letters: what no consumer could handle, with the reason; listed, and sent again when the cause is mended.

A letter that is sent again goes to the subject it came from, under an id of its own (so that it is stored once, however often
it is tried), and then leaves the dead letters. Every consumer of that subject sees it again: handlers are idempotent. A letter on
`dead.<subject>` carries its message; an advisory of the server (deliveries used up) only names one that lies in its stream.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated

import nats
import nats.errors
import nats.js.errors
import typer
from nats.js.api import RawStreamMsg
from nats.js.client import JetStreamContext

from headworks.common.permissions import OPERATIONS
from headworks.common.settings import ServiceSettings
from headworks.common.subjects import (
    DEAD_LETTER_PREFIX,
    DEAD_LETTERS_STREAM,
    MAX_DELIVERIES_ADVISORY,
    SUBJECTS,
    Retention,
    stream_subjects,
)

STREAM = DEAD_LETTERS_STREAM.name
app = typer.Typer(no_args_is_help=True, help="Messages that no consumer could handle.")


class NotReplayable(Exception):
    """This letter cannot be sent again, and why."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was given up. `body` is None when it is gone; `lies_at` is its stream and place, when still there."""

    sequence: int
    buried_at: datetime
    subject: str
    consumer: str
    reason: str
    body: bytes | None
    lies_at: tuple[str, int] | None = None


async def dead_letters(jetstream: JetStreamContext) -> AsyncIterator[DeadLetter]:
    """Every letter, oldest first."""
    sequence = 1
    while True:
        try:
            raw = await jetstream.get_msg(STREAM, sequence, subject=">", next=True)
        except nats.js.errors.NotFoundError:
            return
        letter = await _letter(jetstream, raw)
        yield letter
        sequence = letter.sequence + 1


async def replay(jetstream: JetStreamContext, letter: DeadLetter) -> None:
    """Send a letter again, then take it out of the dead letters. Raises NotReplayable."""
    if letter.body is None:
        raise NotReplayable(f"letter {letter.sequence}: its message is gone from {letter.subject}")
    if not any(subject.matches(letter.subject) for subject in SUBJECTS):
        raise NotReplayable(f"letter {letter.sequence}: {letter.subject} is no subject of the registry")
    headers = {"Nats-Msg-Id": f"dead-letter:{letter.sequence}"}
    await jetstream.publish(letter.subject, letter.body, headers=headers)
    if letter.lies_at is not None and letter.lies_at[0] in _work_queues():
        await jetstream.delete_msg(*letter.lies_at)
    await jetstream.delete_msg(STREAM, letter.sequence)


async def _letter(jetstream: JetStreamContext, raw: RawStreamMsg) -> DeadLetter:
    assert raw.seq is not None
    assert raw.time is not None
    subject, headers = raw.subject or "", raw.headers or {}
    if subject.startswith(MAX_DELIVERIES_ADVISORY):
        return await _of_advisory(jetstream, raw.seq, raw.time, raw.data or b"{}")
    return DeadLetter(
        sequence=raw.seq,
        buried_at=raw.time,
        subject=headers.get("Headworks-Subject", subject.removeprefix(f"{DEAD_LETTER_PREFIX}.")),
        consumer=headers.get("Headworks-Consumer", "unknown"),
        reason=headers.get("Headworks-Reason", "no reason was given"),
        body=raw.data or b"",
    )


async def _of_advisory(jetstream: JetStreamContext, sequence: int, at: datetime, told: bytes) -> DeadLetter:
    advisory = json.loads(told)
    stream, place, consumer = advisory["stream"], advisory["stream_seq"], advisory["consumer"]
    reason = f"no answer after {advisory['deliveries']} deliveries"
    try:
        original = await jetstream.get_msg(stream, place)
    except nats.js.errors.NotFoundError:
        return DeadLetter(sequence, at, f"{stream}:{place}", consumer, reason, None)
    return DeadLetter(sequence, at, original.subject or "", consumer, reason, original.data or b"", (stream, place))


def _work_queues() -> set[str]:
    """Streams that keep a message until it is handled: there a given-up one must be deleted, or it stays."""
    return {stream.name for stream in stream_subjects() if stream.retention is Retention.WORK_QUEUE}


NatsUrl = Annotated[str | None, typer.Option(help="default: HEADWORKS_NATS_URL")]
SeedFile = Annotated[Path | None, typer.Option(help="the key of 'operations'; default: HEADWORKS_NATS_SEED_FILE")]


@app.command("list")
def list_letters(nats_url: NatsUrl = None, seed_file: SeedFile = None) -> None:
    """List the dead letters with their reasons, oldest first."""

    async def show(jetstream: JetStreamContext) -> None:
        count = 0
        async for letter in dead_letters(jetstream):
            count += 1
            size = "gone" if letter.body is None else f"{len(letter.body)} bytes"
            typer.echo(
                f"{letter.sequence}  {letter.buried_at:%Y-%m-%dT%H:%M:%SZ}  {letter.subject}  ({size}, "
                f"{letter.consumer}): {letter.reason}"
            )
        typer.echo(f"{count} dead letters")

    _run(show, nats_url, seed_file)


@app.command("replay")
def replay_letters(
    sequences: Annotated[list[int] | None, typer.Argument(help="numbers from the list")] = None,
    every: Annotated[bool, typer.Option("--all", help="every letter there is")] = False,
    nats_url: NatsUrl = None,
    seed_file: SeedFile = None,
) -> None:
    """Send letters again to where they came from. Exits with 1 when one of them cannot be."""
    wanted = set(sequences or [])
    if bool(wanted) == every:
        raise typer.BadParameter("give the letters' numbers, or --all")

    async def send(jetstream: JetStreamContext) -> None:
        refused = await _send(jetstream, None if every else wanted)
        for reason in refused:
            typer.echo(reason, err=True)
        if refused:
            raise typer.Exit(1)

    _run(send, nats_url, seed_file)


async def _send(jetstream: JetStreamContext, wanted: set[int] | None) -> list[str]:
    """Send the wanted letters, or all; what could not be sent, and why."""
    letters = [letter async for letter in dead_letters(jetstream) if wanted is None or letter.sequence in wanted]
    refused = [
        f"letter {number}: there is none" for number in sorted((wanted or set()) - {x.sequence for x in letters})
    ]
    for letter in letters:
        try:
            await replay(jetstream, letter)
            typer.echo(f"letter {letter.sequence} sent again to {letter.subject}")
        except NotReplayable as reason:
            refused.append(str(reason))
    return refused


def _run(work: Callable[[JetStreamContext], Awaitable[None]], nats_url: str | None, seed_file: Path | None) -> None:
    """Do work on the bus; what goes wrong there is said in one line."""
    settings = ServiceSettings()
    url, seed = nats_url or settings.nats_url, seed_file or settings.nats_seed_file

    async def connected() -> None:
        async with _jetstream(url, seed) as jetstream:
            await work(jetstream)

    try:
        asyncio.run(connected())
    except (OSError, nats.errors.Error, nats.js.errors.Error) as error:
        typer.echo(f"{url}: {error!r}; is the bus there, and may this key ({seed or 'none given'}) do this?", err=True)
        raise typer.Exit(1) from error


@asynccontextmanager
async def _jetstream(url: str, seed_file: Path | None) -> AsyncIterator[JetStreamContext]:
    seed = seed_file.read_text().strip() if seed_file else None

    async def quiet(_error: Exception) -> None:
        """What fails is raised to the caller as well."""

    client = await nats.connect(
        url,
        nkeys_seed_str=seed,
        inbox_prefix=f"_INBOX_{OPERATIONS}",
        allow_reconnect=False,
        max_reconnect_attempts=1,
        reconnect_time_wait=0.1,
        error_cb=quiet,
    )
    try:
        yield client.jetstream()
    finally:
        await client.close()
