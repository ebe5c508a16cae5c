// The Presence object of the real phoenix.js: case 145, and of 125 to 134 what a
// server can bring about. Who is there is written as "NAME METAS", each meta by its
// "at": "ada phone+desk".
import {test} from "node:test";
import assert from "node:assert/strict";
import {Presence, connect, control, outcome, times} from "./support.mjs";

const write = (name, presence) => `${name} ${presence.metas.map(meta => meta.at).join("+")}`;

// Joins a topic by a connection of its own. sees resolves when those are present,
// with what Presence has called back since the last time: "+" for onJoin with the
// new metas and, in brackets, those before; "-" for onLeave with the metas that
// left and those that stay.
async function attend(t, topic, name, at) {
  const {socket} = await connect(t, {rejoinAfterMs: () => 20});
  const channel = socket.channel(topic, {name, meta: {at}});
  const presence = new Presence(channel);
  const calls = [];
  const note = sign => (key, current, change) =>
    calls.push(`${sign}${write(key, change)}${current?.metas.length ? ` (${write(key, current)})` : ""}`);
  presence.onJoin(note("+"));
  presence.onLeave(note("-"));
  const checks = new Set();
  presence.onSync(() => checks.forEach(check => check()));
  const list = () => presence.list(write).sort();
  const sees = (...names) => new Promise(resolve => {
    const check = () => {
      if (list().join() !== names.join()) return;
      checks.delete(check);
      resolve(calls.splice(0).sort());
    };
    checks.add(check);
    check();
  });
  assert.deepEqual(await outcome(channel.join()), ["ok", {}]);
  return {socket, channel, presence, sees};
}

for (const [how, end] of [
  ["leaves", bob => bob.channel.leave()],
  ["loses its connection", bob => { bob.socket.disconnect(); }],
]) {
  test(`145, 125, 126, 128, 133 two sockets and one that ${how}: the two see the same`, async t => {
    const topic = `pres:js145-${how.length}`;
    const ada = await attend(t, topic, "ada", "phone");
    // The diff of the own join comes before the state here, as it may with Phoenix: it
    // is queued (133), and tells of oneself a second time.
    assert.deepEqual(await ada.sees("ada phone"), ["+ada phone", "+ada phone (ada phone)"]);
    const carol = await attend(t, topic, "carol", "car");
    const bob = await attend(t, topic, "bob", "desk");
    assert.deepEqual(await bob.sees("ada phone", "bob desk", "carol car"), ["+ada phone", "+bob desk", "+bob desk (bob desk)", "+carol car"]);
    assert.deepEqual(await ada.sees("ada phone", "bob desk", "carol car"), ["+bob desk", "+carol car"]);
    await carol.sees("ada phone", "bob desk", "carol car");
    assert.deepEqual(ada.presence.state, bob.presence.state);
    end(bob);
    assert.deepEqual(await ada.sees("ada phone", "carol car"), ["-bob desk"]);
    assert.deepEqual(await carol.sees("ada phone", "carol car"), ["-bob desk"]);
    assert.deepEqual(ada.presence.state, carol.presence.state);
  });
}

test("127, 130 one name in two places: only the new meta joins, only the old one leaves", async t => {
  const ada = await attend(t, "pres:js127", "ada", "phone");
  await ada.sees("ada phone");
  const again = await attend(t, "pres:js127", "ada", "desk");
  assert.deepEqual(await ada.sees("ada phone+desk"), ["+ada desk (ada phone)"]);
  await again.sees("ada phone+desk");
  again.channel.leave();
  assert.deepEqual(await ada.sees("ada phone"), ["-ada desk (ada phone)"]);
});

test("129, 134 an update: the old meta leaves, the new one joins, the name stays", async t => {
  const ada = await attend(t, "pres:js134", "ada", "phone");
  await ada.sees("ada phone");
  const [before] = ada.presence.state.ada.metas;
  assert.deepEqual(await outcome(ada.channel.push("update", {meta: {at: "desk"}})), ["ok", {}]);
  assert.deepEqual(await ada.sees("ada desk"), ["+ada desk (ada phone)", "-ada phone (ada desk)"]);
  const [after] = ada.presence.state.ada.metas;
  assert.equal(after.phx_ref_prev, before.phx_ref);
  assert.notEqual(after.phx_ref, before.phx_ref);
});

test("131 names that every object has", async t => {
  const names = ["__proto__", "constructor", "toString"];
  const ada = await attend(t, "pres:js131", "ada", "phone");
  const others = [];
  for (const name of names) others.push(await attend(t, "pres:js131", name, "x"));
  const all = [...names.map(name => `${name} x`), "ada phone"].sort();
  await ada.sees(...all);
  await others.at(-1).sees(...all);
  for (const other of others) other.channel.leave();
  await ada.sees("ada phone");
});

test("132 list, and list by", async t => {
  const ada = await attend(t, "pres:js132", "ada", "phone");
  await ada.sees("ada phone");
  const [{metas: [meta]}] = ada.presence.list();
  assert.deepEqual(Object.keys(meta).sort(), ["at", "phx_ref"]);
  assert.deepEqual(ada.presence.list((name, {metas: [first]}) => [name, first.at]), [["ada", "phone"]]);
});

test("133 after another join the diffs wait for the state, which tells what was missed", async t => {
  const topic = "pres:js133";
  const ada = await attend(t, topic, "ada", "phone");
  const bob = await attend(t, topic, "bob", "desk");
  await ada.sees("ada phone", "bob desk");
  await bob.sees("ada phone", "bob desk");
  bob.channel.onError(() => bob.channel.leave()); // it does not come back
  // receive calls back at once for the join that was, so the next one is the second.
  const rejoined = times(2, callback => ada.channel.joinPush.receive("ok", callback));
  await control("kill", {topic});
  await rejoined;
  const carol = await attend(t, topic, "carol", "car");
  await carol.sees("ada phone", "carol car");
  const calls = await ada.sees("ada phone", "carol car");
  assert.ok(calls.includes("-bob desk"), calls);
  assert.deepEqual(ada.presence.pendingDiffs, []);
  assert.deepEqual(ada.presence.state, carol.presence.state);
});
