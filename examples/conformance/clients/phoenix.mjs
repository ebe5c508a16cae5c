// A client on phoenix.js, which prints a line for each thing that happens to it.
import {createRequire} from "node:module";
import {join} from "node:path";

const require = createRequire(join(process.env.AVIARY_NODE_MODULES, "client.js"));
const {Socket, Presence} = require("phoenix");

const say = (what, payload) => console.log(what, JSON.stringify(payload));

// The outcome of a push: [status, response].
const outcome = push => new Promise(resolve => {
  for (const status of ["ok", "error", "timeout"]) push.receive(status, response => resolve([status, response]));
});

const name = process.env.AVIARY_NAME;
const socket = new Socket(process.env.AVIARY_URL, {transport: require("ws"), vsn: process.env.AVIARY_VSN});
socket.connect();

const room = socket.channel(`room:quiet-${name}`);
room.on("shout", payload => say("shout", payload));
const joining = room.join();
joining.receive("ok", response => say("joined", response)); // each time, also when it rejoins
await outcome(joining);

const closed = socket.channel("room:deny");
const [, refusal] = await outcome(closed.join());
say("refused", refusal);
closed.leave();

for (const event of ["echo", "echo_err"]) {
  const [status, response] = await outcome(room.push(event, {n: 1}));
  say(`reply ${status}`, response);
}

let shown = "";
const people = socket.channel(`pres:${name}`, {name: "ada"});
const presence = new Presence(people);
presence.onSync(() => {
  const names = presence.list(name => name).join(" ");
  if (names !== shown) console.log("present", names);
  shown = names;
});
people.join();

process.stdin.resume().on("end", async () => {
  await outcome(room.leave());
  console.log("left");
  socket.disconnect();
});
