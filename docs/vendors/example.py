"""Submit a plan to Headworks and wait for the answer: example.py SERVER NAME SEED_FILE SITE [RESOURCE [MEGAWATTS [START]]]."""

import asyncio
import json
import sys
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

import nats

ANSWER_S, TRIES = 10, 3


def submission(name, site, resource, megawatts, start):
    """A horizon of four hours; a real one comes from your optimiser."""
    hour = timedelta(hours=1)
    intervals = [
        {
            "resource": resource,
            "resource_type": "TURBINE",
            "interval_start": (start + i * hour).isoformat(),
            "interval_end": (start + (i + 1) * hour).isoformat(),
            "targets": {"kind": "generic", "target_type": "POWER", "target_value": megawatts},
        }
        for i in range(4)
    ]
    ids = {"submission_id": f"{name}-{uuid.uuid4()}", "publisher": name, "site": site}
    return {**ids, "created_at": datetime.now(timezone.utc).isoformat(), "reason": "example", "intervals": intervals}


async def submit(client, name, site, body):
    """The answer to a submission. One that is missed is asked for with the same submission: it is stored once."""
    replies = await client.subscribe(f"plans.reply.{name}.{site}")
    for _ in range(TRIES):
        await client.jetstream().publish(f"plans.submit.{name}.{site}", json.dumps(body).encode())
        try:
            while True:
                reply = json.loads((await replies.next_msg(timeout=ANSWER_S)).data)
                if reply["submission_id"] == body["submission_id"]:
                    return reply
        except nats.errors.TimeoutError:
            continue
    raise SystemExit("no answer: is every field as the schema says?")


async def main(server, name, seed_file, site, resource="OXPH", megawatts="2.1", start=None):
    """Connect, submit, say the answer; exits with 1 when the plan is refused."""
    this_hour = datetime.now(timezone.utc).replace(minute=0, second=0, microsecond=0)
    begins = datetime.fromisoformat(start) if start else this_hour
    seed = {"nkeys_seed_str": Path(seed_file).read_text().strip()}
    client = await nats.connect(server, **seed, inbox_prefix=f"_INBOX_{name}", max_reconnect_attempts=TRIES)
    reply = await submit(client, name, site, submission(name, site, resource, float(megawatts), begins))
    await client.close()
    print(json.dumps(reply, indent=2))
    sys.exit(0 if reply["accepted"] else 1)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
