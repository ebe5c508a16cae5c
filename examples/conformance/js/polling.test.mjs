// The real phoenix.js as the judge of long polling: cases 143 to 145, a server
// that is started again, and a client that falls back in the middle of its work.
// The Go test polling_phoenixjs_test.go starts the servers and runs this; nothing here
// sleeps.
import {createRequire} from "node:module";
import {join} from "node:path";
import {test} from "node:test";
import assert from "node:assert/strict";
import {Socket, WebSocket, connect, control, outcome, roundTrip, times} from "./support.mjs";
import {proxy} from "./proxy.mjs";

const {LongPoll, Presence} = createRequire(join(process.env.AVIARY_NODE_MODULES, "judge.js"))("phoenix");

// A poll of this mount waits for 10 s, so that a machine under load does not end
// the sessions; /socket has 600 ms.
const PATIENT = "/ws/admin";

// Connects phoenix.js by long polling and disconnects it when the test ends.
async function connectPolling(t, url, options = {}) {
  const socket = new Socket(url, {transport: LongPoll, ...options});
  t.after(() => new Promise(resolve => socket.disconnect(resolve)));
  const opened = times(1, callback => socket.onOpen(callback));
  socket.connect();
  await opened;
  return socket;
}

// The values of a storage that phoenix.js takes in place of the browser's.
const storage = () => {
  const items = new Map();
  return {items, getItem: key => items.get(key), setItem: (key, value) => items.set(key, value)};
};

test("143 150 sends in a tick: two POSTs of 100 and 50, in order", async t => {
  const between = await proxy(t);
  const socket = await connectPolling(t, between.url + PATIENT);
  const channel = socket.channel("room:quiet-js143");
  assert.deepEqual(await outcome(channel.join()), ["ok", {}]);
  const order = [];
  const numbers = Array.from({length: 150}, (_, n) => n);
  await Promise.all(numbers.map(n => outcome(channel.push("echo", {n})).then(([status, response]) => {
    assert.equal(status, "ok");
    order.push(response.n);
  })));
  assert.deepEqual(order, numbers);
  const [joining, ...batches] = between.batches();
  assert.deepEqual(joining.map(frame => frame[3]), ["phx_join"]);
  assert.deepEqual(batches.map(frames => frames.length), [100, 50]);
  assert.deepEqual(batches.flat().map(frame => frame[4].n), numbers);
});

test("144 a WebSocket that is let through and never answers: falls back, and remembers", async t => {
  const between = await proxy(t, {onSocket: () => {}});
  const sessionStorage = storage();
  const {socket} = await connect(t, {url: between.url + PATIENT, longPollFallbackMs: 300, sessionStorage});
  assert.equal(between.upgrades, 1);
  await times(1, callback => socket.onOpen(callback));
  const channel = socket.channel("room:quiet-js144");
  assert.deepEqual(await outcome(channel.join()), ["ok", {}]);
  assert.equal((await roundTrip(channel))[0], "ok");
  assert.equal(socket.transport, LongPoll);
  assert.deepEqual([...sessionStorage.items], [["phx:fallback:LongPoll", "true"]]);

  const {socket: next} = await connect(t, {url: between.url + PATIENT, longPollFallbackMs: 300, sessionStorage});
  assert.deepEqual(await outcome(next.channel("room:quiet-js144").join()), ["ok", {}]);
  assert.equal(between.upgrades, 1, "the second client polls at once");
});

test("144 a WebSocket that is refused: falls back at once", async t => {
  const between = await proxy(t);
  const {socket} = await connect(t, {url: between.url + PATIENT, longPollFallbackMs: 60_000});
  assert.deepEqual(await outcome(socket.channel("room:quiet-js144-refused").join()), ["ok", {}]);
  assert.equal(socket.transport, LongPoll);
});

test("144 a WebSocket that works: no fallback", async t => {
  const {socket, transport} = await connect(t, {longPollFallbackMs: 60_000});
  while (!socket.primaryPassedHealthCheck) await times(1, callback => socket.onMessage(callback));
  assert.equal(socket.transport, transport);
});

test("145 two clients that poll agree on who is there, also after one leaves or just goes", async t => {
  const topic = "pres:js145";
  const here = (presence, names) => new Promise(resolve => {
    const look = () => {
      const list = presence.list(key => key).sort();
      if (JSON.stringify(list) === JSON.stringify(names)) resolve();
    };
    presence.onSync(look);
    look();
  });
  const enter = async name => {
    const between = await proxy(t);
    const socket = await connectPolling(t, `${between.url}/socket`);
    const channel = socket.channel(topic, {name});
    const presence = new Presence(channel);
    assert.equal((await outcome(channel.join()))[0], "ok");
    return {socket, channel, presence};
  };
  const ada = await enter("ada");
  const bob = await enter("bob");
  const cyd = await enter("cyd");
  await Promise.all([ada, bob, cyd].map(one => here(one.presence, ["ada", "bob", "cyd"])));
  cyd.channel.leave();
  await Promise.all([ada, bob].map(one => here(one.presence, ["ada", "bob"])));
  bob.socket.disconnect(); // which the server learns by the polls that do not come
  await here(ada.presence, ["ada"]);
});

test("a server that is started again: the session is gone, the client comes back and rejoins", async t => {
  const between = await proxy(t, {target: process.env.AVIARY_RESTARTED_HOST});
  const socket = await connectPolling(t, between.url + PATIENT, {reconnectAfterMs: () => 20, rejoinAfterMs: () => 20});
  const channel = socket.channel("room:quiet-js-restart");
  const joins = times(2, callback => channel.join().receive("ok", callback));
  await times(1, callback => channel.joinPush.receive("ok", callback));
  assert.equal((await roundTrip(channel))[0], "ok");
  await control("drain", {}, process.env.AVIARY_RESTARTED_CTL);
  between.target = process.env.AVIARY_HOST;
  await joins;
  assert.equal((await roundTrip(channel))[0], "ok");
});

test("authToken is sent in a header when the session begins", async t => {
  const between = await proxy(t);
  const socket = await connectPolling(t, `${between.url}/auth`, {authToken: "1234"});
  const channel = socket.channel("room:js-auth");
  assert.equal((await outcome(channel.join()))[0], "ok");
  assert.equal(between.requests[0].headers["x-phoenix-authtoken"], "1234");
});

// The WebSocket works for the first HALF events and lets no more through, but it
// never answers a heartbeat, so that the client takes it for broken and polls.
test("10 000 events: none lost, none twice, in order, by a client that falls back in between", {timeout: 60_000}, async t => {
  const TOTAL = 10_000, HALF = 2_000, IN_FLIGHT = 500;
  let events = 0;
  let closed;
  const gone = new Promise(resolve => { closed = resolve; });
  const between = await proxy(t, {
    before: () => gone, // phoenix.js confuses the end of its WebSocket with that of the session that follows
    onSocket: (client, request) => {
      const server = new WebSocket(`ws://${between.target}${request.url}`);
      const waiting = [];
      server.on("open", () => { for (const text of waiting) server.send(text); });
      client.on("message", data => {
        const text = data.toString();
        if (JSON.parse(text)[3] === "ext" && ++events > HALF) return;
        if (server.readyState === WebSocket.OPEN) server.send(text);
        else waiting.push(text);
      });
      server.on("message", data => { if (JSON.parse(data)[2] !== "phoenix") client.send(data.toString()); });
      client.on("close", () => { server.close(); closed(); });
    },
  });

  const {socket: observer} = await connect(t);
  const watched = observer.channel("room:quiet-js-10000");
  assert.equal((await outcome(watched.join()))[0], "ok");
  const seen = [];
  const allSeen = new Promise(resolve => {
    watched.on("ext", ({n}) => { if (seen.push(n) === TOTAL) resolve(); });
  });

  const {socket} = await connect(t, {url: between.url + PATIENT, longPollFallbackMs: 4_000});
  const channel = socket.channel("room:quiet-js-10000-sender");
  const answered = []; // refs, as often as they were answered
  socket.onMessage(({topic, event, ref}) => { if (topic === channel.topic && event === "phx_reply") answered.push(ref); });
  const replies = [];
  let pushed = 0;
  let open = [];
  await new Promise(resolve => {
    const pump = () => {
      while (channel.canPush() && pushed < TOTAL && pushed - replies.length < IN_FLIGHT) {
        const n = pushed++;
        open.push(channel.push("ext", {topic: watched.topic, n}).receive("ok", () => {
          replies.push(n);
          if (replies.length === TOTAL) resolve();
          pump();
        }));
      }
    };
    // What was sent on a connection that ended is for the application to send again.
    channel.join().receive("ok", () => {
      for (const push of open) push.cancelTimeout();
      open = [];
      pushed = replies.length;
      pump();
    });
  });
  await allSeen;
  const inOrder = Array.from({length: TOTAL}, (_, n) => n);
  assert.deepEqual(replies, inOrder);
  assert.deepEqual(seen, inOrder);
  assert.equal(new Set(answered).size, answered.length, "no message is answered twice");
  assert.equal(socket.transport, LongPoll);
  assert.ok(between.batches().flat().filter(frame => frame[3] === "ext").length >= TOTAL - HALF);
});
