// Who is in which segment: reads the compacted topic to its end, keeps each person's message with the highest
// version, and prints what it knows as JSON. With --follow it then prints every flip, each once.
//
//   npm ci && CDP_KAFKA_BOOTSTRAP=127.0.0.1:9092 node members.js [--follow]
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const Ajv = require("ajv/dist/2020");
const addFormats = require("ajv-formats");
const { Kafka, logLevel } = require("kafkajs");

const TOPIC = "cdp.segments.membership-changed.v1";
const SCHEMAS = process.env.CDP_SCHEMAS || path.join(__dirname, "../../../../contracts/schemas");
const follow = process.argv.includes("--follow");

const ajv = new Ajv({ allErrors: true });
addFormats(ajv);
const isValid = ajv.compile(JSON.parse(fs.readFileSync(path.join(SCHEMAS, `${TOPIC}.json`), "utf8")));

const people = new Map(); // tenant/profile_id -> the newest message
const unreadable = []; // where a message stands that breaks the schema; never what is in it

function read(message) {
  try {
    const found = JSON.parse(message.value.toString("utf8"));
    return isValid(found) ? found : null;
  } catch {
    return null;
  }
}

// The flips of a message that is newer than what is known of its person; a copy or an older one has none.
function take(message, place) {
  if (message.value === null) return []; // a tombstone: the person was erased
  const found = read(message);
  if (found === null) {
    unreadable.push(place);
    return [];
  }
  const person = `${found.tenant}/${found.profile_id}`;
  const known = people.get(person);
  if (known && known.version >= found.version) return [];
  people.set(person, found);
  return found.changes.map((change) => ({ person, version: found.version, ...change }));
}

function membersBySegment() {
  const members = {};
  for (const [person, { memberships, version }] of people) {
    for (const segment of Object.keys(memberships)) (members[segment] ||= {})[person] = version;
  }
  return members;
}

async function main() {
  const brokers = (process.env.CDP_KAFKA_BOOTSTRAP || "127.0.0.1:9092").split(",");
  const kafka = new Kafka({ clientId: "segment-members", brokers, logLevel: logLevel.ERROR });
  const admin = kafka.admin();
  await admin.connect();
  const missing = new Map(); // partition -> the offset behind its last record, until that is read
  for (const { partition, low, high } of await admin.fetchTopicOffsets(TOPIC)) {
    if (Number(low) < Number(high)) missing.set(partition, Number(high));
  }
  await admin.disconnect();

  // What it knows is in memory, so it begins at the beginning each time: a group of its own that commits nothing.
  const consumer = kafka.consumer({ groupId: `subscribers.segment-members-${process.pid}-${Date.now()}` });
  await consumer.connect();
  await consumer.subscribe({ topic: TOPIC, fromBeginning: true });
  let caughtUp;
  const end = new Promise((resolve) => (caughtUp = resolve));
  if (missing.size === 0) caughtUp();
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => {
      const flips = take(message, `partition ${partition}, offset ${message.offset}`);
      if (follow && missing.size === 0) for (const flip of flips) console.log(JSON.stringify(flip));
      if (missing.has(partition) && Number(message.offset) + 1 >= missing.get(partition)) missing.delete(partition);
      if (missing.size === 0) caughtUp();
    },
  });
  await end;
  console.log(JSON.stringify({ people: people.size, members: membersBySegment(), unreadable }));
  if (!follow) await consumer.disconnect();
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1); // connections would keep it alive
});
