// Submit a plan to Headworks and wait for the answer: example.mjs SERVER NAME SEED_FILE SITE [RESOURCE [MEGAWATTS [START]]]
import { readFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { jetstream } from "@nats-io/jetstream";
import { connect, nkeyAuthenticator } from "@nats-io/transport-node";

const ANSWER_MS = 10_000;
const TRIES = 3;
const HOUR_MS = 3_600_000;
const [server, name, seedFile, site, resource = "OXPH", megawatts = "2.1", start] = process.argv.slice(2);

// A horizon of four hours; a real one comes from your optimiser.
function submission() {
  const begins = start ? Date.parse(start) : Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
  const instant = (hours) => new Date(begins + hours * HOUR_MS).toISOString();
  const intervals = [0, 1, 2, 3].map((hour) => ({
    resource,
    resource_type: "TURBINE",
    interval_start: instant(hour),
    interval_end: instant(hour + 1),
    targets: { kind: "generic", target_type: "POWER", target_value: Number(megawatts) },
  }));
  return {
    submission_id: `${name}-${randomUUID()}`,
    publisher: name,
    site,
    created_at: new Date().toISOString(),
    reason: "example",
    intervals,
  };
}

// The answer to a submission. One that is missed is asked for with the same submission: it is stored once.
async function submit(client, body) {
  const answered = new Promise((resolve) => {
    client.subscribe(`plans.reply.${name}.${site}`, {
      callback: (error, message) => {
        if (error) throw error;
        const reply = message.json();
        if (reply.submission_id === body.submission_id) resolve(reply);
      },
    });
  });
  for (let i = 0; i < TRIES; i++) {
    await jetstream(client).publish(`plans.submit.${name}.${site}`, JSON.stringify(body));
    const late = new Promise((resolve) => setTimeout(resolve, ANSWER_MS).unref());
    const reply = await Promise.race([answered, late]);
    if (reply) return reply;
  }
  throw new Error("no answer: is every field as the schema says?");
}

const authenticator = nkeyAuthenticator(new TextEncoder().encode(readFileSync(seedFile, "utf8").trim()));
const client = await connect({ servers: server, authenticator, inboxPrefix: `_INBOX_${name}`, timeout: 5_000 });
const reply = await submit(client, submission());
await client.close();
console.log(JSON.stringify(reply, null, 2));
process.exitCode = reply.accepted ? 0 : 1;
