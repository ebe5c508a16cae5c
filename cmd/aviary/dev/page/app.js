// The playground: a channel by hand. It speaks with the official client, and asks the
// server a few times a second what became of the last build.
import {Presence, Serializer, Socket} from "./vendor/phoenix.mjs";

const $ = id => document.getElementById(id);
const POLL = 400; // ms
const MAX_ROWS = 400;
const STORE = "aviary-playground"; // what was typed last

// ---- what was typed last comes back with the page
const FIELDS = ["topic", "join-payload", "params", "event", "payload"];

function remember() {
  const typed = Object.fromEntries(FIELDS.map(id => [id, $(id).value]));
  sessionStorage.setItem(STORE, JSON.stringify(typed));
}

function recall() {
  const typed = JSON.parse(sessionStorage.getItem(STORE) ?? "{}");
  for (const id of FIELDS) if (id in typed) $(id).value = typed[id];
}

// json reads a field, and says in hint what is wrong with it.
function json(id, hint) {
  const text = $(id).value.trim();
  try {
    const value = text === "" ? {} : JSON.parse(text);
    say(hint, "");
    return {value};
  } catch (error) {
    say(hint, `not JSON: ${error.message}`, true);
    $(id).focus();
    return {};
  }
}

function say(id, text, bad = false) {
  $(id).textContent = text;
  $(id).classList.toggle("bad", bad);
}

// ---- lists
function row(list, className, parts) {
  const stays = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
  const item = document.createElement("li");
  item.className = className;
  for (const [tag, text, name] of parts) {
    const part = document.createElement(tag);
    if (name) part.className = name;
    part.textContent = text;
    item.append(part, " ");
  }
  list.append(item);
  while (list.children.length > MAX_ROWS) list.firstChild.remove();
  if (stays) list.scrollTop = list.scrollHeight;
  return item;
}

const clock = date => date.toTimeString().slice(0, 8);

function frame(way, {event, payload, ref}) {
  if (event === "heartbeat" || event === "phx_reply" && ref !== null && beats.delete(ref)) return;
  const bytes = payload instanceof ArrayBuffer;
  const isReply = event === "phx_reply";
  const bad = event === "phx_error" || isReply && payload.status === "error";
  const text = bytes ? `${payload.byteLength} bytes` : JSON.stringify(isReply ? payload.response : payload);
  const item = row($("frames"), `${way}${bad ? " bad" : ""}`, [
    ["time", clock(new Date())], ["span", way === "in" ? "←" : "→", "way"],
    ["span", ""],
  ]);
  const body = item.lastElementChild;
  const name = document.createElement("b");
  name.textContent = isReply ? `reply ${payload.status}` : event;
  const value = document.createElement("code");
  value.textContent = text;
  body.append(name, " ", value);
}

// ---- the channel
let socket, channel, presence, topic;
let joins = 0;
const beats = new Set(); // refs of heartbeats

function status(state) {
  $("status-pill").dataset.state = state;
  $("status").textContent = state;
  const joined = state === "joined";
  $("leave").disabled = !channel;
  $("push").disabled = !joined;
}

function connect(path, params) {
  const own = socket = new Socket(path, {
    params,
    encode: (message, callback) => {
      if (message.event === "heartbeat") beats.add(message.ref);
      frame("out", message);
      Serializer.encode(message, callback);
    },
    decode: (raw, callback) => Serializer.decode(raw, message => {
      frame("in", message);
      callback(message);
    }),
  });
  // The one before may end later than this one begins.
  const tell = state => { if (socket === own) status(state); };
  own.onOpen(() => tell(channel ? "joining" : "connected"));
  own.onClose(() => tell("offline"));
  own.connect();
}

function hangUp() {
  channel?.leave();
  socket?.disconnect();
  channel = socket = undefined;
  showPresence();
}

function join() {
  const payload = json("join-payload", "join-hint");
  if (!("value" in payload)) return;
  const params = json("params", "join-hint");
  if (!("value" in params)) return;
  remember();
  hangUp();
  connect(last.socket ?? "/socket", params.value);
  topic = $("topic").value.trim();
  channel = socket.channel(topic, payload.value);
  presence = new Presence(channel);
  presence.onSync(showPresence);
  channel.onError(() => { if (socket) status("joining"); });
  status("joining");
  channel.join()
    .receive("ok", () => { joins++; $("status-pill").dataset.joins = joins; status("joined"); say("join-hint", ""); })
    .receive("error", answer => {
      say("join-hint", `refused: ${JSON.stringify(answer)}`, true);
      hangUp();
      status("offline");
    });
}

function push() {
  const payload = json("payload", "push-hint");
  if (!("value" in payload) || !channel) return;
  remember();
  const began = performance.now();
  const took = () => `${(performance.now() - began).toFixed(1)} ms`;
  channel.push($("event").value.trim(), payload.value)
    .receive("ok", () => say("push-hint", `ok after ${took()}`))
    .receive("error", answer => say("push-hint", `error after ${took()}: ${JSON.stringify(answer)}`, true))
    .receive("timeout", () => say("push-hint", "no reply in 10 s; not every event has one"));
}

function showPresence() {
  const list = channel ? presence.list((key, {metas}) => [key, metas]) : [];
  $("present-count").textContent = list.length;
  $("present").replaceChildren(...list.map(([key, metas]) => {
    const item = document.createElement("li");
    const name = document.createElement("b");
    name.textContent = key || "(no key)";
    const value = document.createElement("code");
    value.textContent = metas.map(({phx_ref, phx_ref_prev, ...meta}) => JSON.stringify(meta)).join(" ");
    item.append(name, value);
    return item;
  }));
}

// ---- what the server says of itself
let last = {}; // state
let shown = 0; // number of the newest event in the log
let spent = {fuel: 0, calls: 0};
let kept = []; // events, for when the box is ticked

function showState(state) {
  last = state;
  document.title = `${state.project} · Aviary playground`;
  $("project").textContent = state.project;
  $("generation").textContent = state.building ? "building …" :
    `generation ${state.generation}: built in ${state.build_ms} ms, live in ${state.deploy_ms} ms` +
    (state.generation > 1 ? `, ${state.channels} channels moved` : "");
  $("generation").dataset.generation = state.generation;
  $("failed").hidden = state.failed === "";
  $("failed-text").textContent = state.failed;
  showFuel(state);
  kept = state.events;
  for (const event of state.events) {
    if (event.number > shown) showEvent(event);
    shown = Math.max(shown, event.number);
  }
}

// showFuel shows what the callbacks since the last look took, on average.
function showFuel({plugins, quota, project}) {
  const plugin = plugins.find(p => p.name === project) ?? plugins[0];
  if (!plugin) return;
  const fresh = plugin.calls < spent.calls; // another generation counts anew
  const calls = plugin.calls - (fresh ? 0 : spent.calls);
  const fuel = plugin.fuel - (fresh ? 0 : spent.fuel);
  if (calls > 0 && spent.calls + spent.fuel > 0 && !fresh) {
    const each = Math.round(fuel / calls);
    $("fuel").textContent = each.toLocaleString("en");
    $("fuel-of").textContent = `a callback, ${(100 * each / quota).toFixed(2)} % of its quota`;
    $("fuel-bar").value = 100 * each / quota;
  }
  const failures = Object.values(plugin.failures).reduce((a, b) => a + b, 0);
  $("fuel-all").textContent = `${plugin.calls} callbacks of this generation, ${failures} failed`;
  spent = {fuel: plugin.fuel, calls: plugin.calls};
}

const QUIET = new Set(["plugin", "src", "component", "code", "generation", "sha", "socket"]);

// showEvent adds a line to the log: what modules say, what failed, and, if the box is
// ticked, all else.
function showEvent({kind, level = "", message, attrs = {}, time}) {
  const worth = kind !== "log" || attrs.src === "guest" || ["WARN", "ERROR"].includes(level);
  if (!worth && !$("all-logs").checked) return;
  const className = kind === "deploy" ? "deploy" : kind === "failed" ? "failed-line" : level.toLowerCase();
  const details = Object.entries(attrs).filter(([key]) => !QUIET.has(key)).map(([key, value]) => `${key}: ${value}`);
  row($("log"), className, [["time", clock(new Date(time))], ["span", message], ...(details.length ? [["code", details.join("\n")]] : [])]);
}

async function poll() {
  try {
    const response = await fetch("/playground/state.json");
    if (response.ok) showState(await response.json());
  } catch {
    // The server is away, as the status says; it may come back.
  }
  setTimeout(poll, POLL);
}

// ---- begin
recall();
$("join-form").addEventListener("submit", event => { event.preventDefault(); join(); });
$("push-form").addEventListener("submit", event => { event.preventDefault(); push(); });
$("leave").addEventListener("click", () => { hangUp(); status("offline"); });
$("clear").addEventListener("click", () => $("frames").replaceChildren());
$("all-logs").addEventListener("change", () => {
  $("log").replaceChildren();
  kept.forEach(showEvent);
});
await poll();
if (!$("topic").value) $("topic").value = (last.topics?.[0] ?? "room:*").replaceAll("*", "lobby");
