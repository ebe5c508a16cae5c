// A client on Supabase's realtime-js, which prints a line for each thing that
// happens to it.
import {createRequire} from "node:module";
import {join} from "node:path";

const require = createRequire(join(process.env.AVIARY_NODE_MODULES, "client.js"));
const {RealtimeClient} = require("@supabase/realtime-js");

const say = (what, payload) => console.log(what, JSON.stringify(payload));

// By 2.0.0 its broadcasts are binary frames of Supabase's own kind, 3; by 1.0.0 all is
// text.
const options = {transport: require("ws"), vsn: process.env.AVIARY_VSN, params: {apikey: "key"}};
// Another token each time, so that each join is followed by an access_token event.
let tokens = 0;
options.accessToken = async () => `token ${++tokens}`;
const client = new RealtimeClient(process.env.AVIARY_URL, options);

// Resolves when the channel is joined for the first time. Presence is tracked anew
// after each join, as Supabase's documentation has it.
let shown = "";
const room = client.channel(process.env.AVIARY_NAME, {config: {broadcast: {ack: true, self: true}, presence: {key: "ada"}}});
room.on("broadcast", {event: "shout"}, ({payload}) => say("shout", payload));
room.on("presence", {event: "sync"}, () => {
  const names = Object.keys(room.presenceState()).sort().join(" ");
  if (names !== shown) console.log(`present ${names}`.trim());
  shown = names;
});
await new Promise(resolve => room.subscribe(async status => {
  console.log(status);
  if (status !== "SUBSCRIBED") return;
  say("tracked", await room.track({at: "home"}));
  resolve();
}));

const nameless = client.channel("");
const refusal = await new Promise(resolve => nameless.subscribe((status, error) => resolve([status, error?.message])));
say("refused", refusal);
await client.removeChannel(nameless);

say("sent", await room.send({type: "broadcast", event: "shout", payload: {n: 1}}));
say("sent", await room.send({type: "presence", event: "dance"}));

process.stdin.resume().on("end", async () => {
  say("left", await room.unsubscribe());
  await client.disconnect();
  process.exit(); // a timer of disconnect would go on for 10 s
});
