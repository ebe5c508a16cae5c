// Fifty real clients on one topic, who come, change, go, lose their connection and come
// again, some under one name: case 145 and all of 125 to 134 at once. When it is over, the
// Presence of each has exactly what the server lists.
import {test} from "node:test";
import assert from "node:assert/strict";
import {Presence, connect, control, outcome} from "./support.mjs";

const CLIENTS = 50;
const STEPS = 250;
const NAMES = 35; // fewer than clients: some have two places

// A generator of chance that says the same in each run.
function chance(seed) {
  let state = seed;
  return n => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor(state / 2 ** 32 * n);
  };
}

async function visitor(t, topic, number, pick) {
  const {socket} = await connect(t, {rejoinAfterMs: () => 5, reconnectAfterMs: () => 5});
  return {number, topic, socket, pick, checks: new Set()};
}

// Joins, with a Presence of its own: a channel that was left cannot be joined again.
async function attend(v) {
  const name = `name${v.number % NAMES}`;
  v.channel = v.socket.channel(v.topic, {name, meta: {at: `place${v.number}`}});
  v.presence = new Presence(v.channel);
  v.presence.onSync(() => v.checks.forEach(check => check()));
  const [status] = await outcome(v.channel.join());
  assert.equal(status, "ok");
}

// What a client may do, and waits for. An answer may be lost with the channel that it is
// for: then the client has joined again in the meantime.
const acts = {
  update: v => outcome(v.channel.push("update", {meta: {at: `step${v.pick(1000)}`}}, 500)),
  track: v => outcome(v.channel.push("track", {key: `extra${v.number % 7}`, meta: {n: v.pick(10)}}, 500)),
  untrack: v => outcome(v.channel.push("untrack", {key: `extra${v.number % 7}`}, 500)),
  passing: v => { // two in a tick
    v.channel.push("track", {key: "passing", meta: {}}, 500);
    return outcome(v.channel.push("untrack", {key: "passing"}, 500));
  },
  leave: async v => {
    v.channel.leave();
    await attend(v);
  },
  drop: v => new Promise(resolve => { // the connection is lost, and made again
    const ref = v.channel.joinRef();
    v.channel.joinPush.receive("ok", () => v.channel.joinRef() !== ref && resolve());
    v.socket.conn.terminate();
  }),
};

// Who is present, key by key; the metas of a key have an order.
const written = list => Object.keys(list).sort().map(key => `${key} ${JSON.stringify(list[key].metas)}`).join("\n");

// Resolves when v has the list, and says what differs if it does not come to that.
function has(v, list) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`client ${v.number} has\n${written(v.presence.state)}\nand the server\n${list}`)), 20_000);
    const check = () => {
      if (written(v.presence.state) !== list) return;
      v.checks.delete(check);
      clearTimeout(late);
      resolve();
    };
    v.checks.add(check);
    check();
  });
}

test("145 fifty clients that come and go: each has what the server lists", async t => {
  const topic = "pres:churn";
  const pick = chance(145);
  const clients = [];
  for (let i = 0; i < CLIENTS; i++) clients.push(await visitor(t, topic, i, pick));
  await Promise.all(clients.map(attend));
  const kinds = Object.keys(acts);
  // Each has a part of the steps, all at once.
  await Promise.all(clients.map(async v => {
    for (let i = 0; i < STEPS / CLIENTS; i++) {
      const kind = kinds[pick(kinds.length)];
      await acts[kind](v);
    }
  }));
  // A crash of all, from which they come back by themselves.
  const back = clients.map(v => new Promise(resolve => {
    const ref = v.channel.joinRef();
    v.channel.joinPush.receive("ok", () => v.channel.joinRef() !== ref && resolve());
  }));
  await control("kill", {topic});
  await Promise.all(back);
  await Promise.all(clients.filter(v => v.number % 3).map(acts.update));
  await Promise.all(clients.filter(v => v.number % 5 === 0).map(v => outcome(v.channel.leave())));
  const stay = clients.filter(v => v.number % 5);

  // phoenix.js does not wait for the server when it leaves.
  let list;
  do [, list] = await outcome(stay[0].channel.push("list", {}));
  while (Object.values(list).flatMap(p => p.metas).length !== stay.length);
  const want = written(list);
  await Promise.all(stay.map(v => has(v, want)));
  // And that is how it stays, behind all that was on its way.
  const [, again] = await outcome(stay.at(-1).channel.push("list", {}));
  assert.equal(written(again), want);
  for (const v of stay) assert.equal(written(v.presence.state), want, `client ${v.number}`);
});
