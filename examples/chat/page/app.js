// The Aviary demo chat. Plain modules, no build step: what you read is what runs.
// All user text enters the page through textContent, never as HTML.
import {Socket, Presence} from "./vendor/phoenix.mjs";

const ROOMS = {lobby: "Where everyone lands first", random: "Whatever is on your mind", help: "Ask anything about Aviary"};
const MOODS = "Merry Quiet Bright Gentle Bold Sunny Clever Early Lucky Nimble Patient".split(" ");
const BIRDS = "Wren Robin Heron Finch Lark Kestrel Swift Plover Magpie Osprey Dunlin Jay Curlew".split(" ");
const REASONS = {
  name_required: "Please choose a name first.",
  name_too_long: "That name is too long. Please try a shorter one.",
  empty: "A message needs some text.",
  too_long: "It is too long.",
};

const GROUP_WITHIN_MS = 5 * 60_000; // one author's messages closer than this share a heading
const KEEP_ITEMS = 500;             // older items leave the page, so a long day stays fast
const TYPING_EVERY_MS = 2000;       // how often we repeat "typing: true" while keys are pressed
const TYPING_IDLE_MS = 3000;        // no key for this long means we stopped
const TYPING_EXPIRES_MS = 6000;     // forget a typist whose "false" never came
const OFFLINE_AFTER_MS = 10_000;    // after this long without a server, say so plainly

const $ = id => document.getElementById(id);
const clock = new Intl.DateTimeFormat(undefined, {hour: "2-digit", minute: "2-digit"});
const listOf = new Intl.ListFormat("en-GB");
const pick = list => list[Math.floor(Math.random() * list.length)];

const state = {
  me: {name: "", color: null}, // the name we ask for, then the one the server gave us
  room: "",
  channel: null,
  view: null,                  // the message list of this room: {list, byId, pending}
  accepted: false,             // the server accepted our last join and nothing broke since
  wasConnected: false,
  lostAt: 0,
  atBottom: true,
};
const views = new Map();  // room -> view, so that a room you come back to is as you left it
const typists = new Map(); // name -> timer that forgets them

const socket = new Socket("/socket", {params: () => ({name: state.me.name})});

// ---- small helpers
function el(tag, {className, testid, text, ...attrs} = {}, ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (testid) node.dataset.testid = testid;
  if (text !== undefined) node.textContent = text;
  for (const [key, value] of Object.entries(attrs)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// The colour comes over the wire, so only a plain hex colour is let into the page's style.
function paint(node, color) {
  if (/^#[0-9a-f]{3,8}$/i.test(color ?? "")) node.style.setProperty("--who", color);
}

function avatar(name) {
  const initial = [...name.trim()][0] ?? "?";
  return el("span", {className: "avatar", text: initial.toUpperCase(), "aria-hidden": "true"});
}

// A refusal from the server, as a sentence.
function inWords({reason = "no", limit} = {}) {
  if (reason === "too_long" && limit) return `The limit is ${limit.toLocaleString()} characters.`;
  return REASONS[reason] ?? `The server said: ${reason.replaceAll("_", " ")}.`;
}

// ---- connection status
const isJoined = () => socket.isConnected() && state.channel?.state === "joined";

function connectionWord() {
  if (socket.isConnected() && state.accepted) return "connected";
  // An air-gapped machine is "offline" to the browser and still reaches its own server,
  // so that flag only matters once there is no connection.
  const longLost = performance.now() - state.lostAt > OFFLINE_AFTER_MS;
  const noServer = !socket.isConnected() && (longLost || !navigator.onLine);
  if (!state.channel || noServer) return "offline";
  return state.wasConnected ? "reconnecting" : "connecting";
}

function renderStatus() {
  const word = connectionWord();
  if (word === "connected") state.wasConnected = true;
  if ($("status").textContent === word) return;
  $("status").textContent = word;
  $("status-pill").dataset.state = word;
}

function lost() {
  if (state.accepted) state.lostAt = performance.now();
  state.accepted = false;
  clearTypists();
  renderStatus();
  setTimeout(renderStatus, OFFLINE_AFTER_MS + 50);
}

// ---- rooms
function roomFromHash() {
  const room = location.hash.slice(1).toLowerCase();
  return /^[a-z0-9_-]{1,32}$/.test(room) ? room : "lobby";
}

function renderRooms() {
  const rooms = Object.keys(ROOMS);
  if (!rooms.includes(state.room)) rooms.push(state.room);
  $("rooms").replaceChildren(...rooms.map(room => {
    const link = el("a", {href: `#${room}`, testid: `room-link-${room}`},
      el("span", {className: "hash", text: "#", "aria-hidden": "true"}), room);
    if (room === state.room) link.setAttribute("aria-current", "page");
    return el("li", {}, link);
  }));
  $("room-name").textContent = state.room;
  $("room-topic").textContent = ROOMS[state.room] ?? "A room of your own";
  $("empty-room").textContent = `#${state.room}`;
  $("composer-input").placeholder = `Message #${state.room}`;
  $("second-tab").href = `${location.pathname}#${state.room}`;
  document.title = `#${state.room} · Aviary chat`;
}

function showView(room) {
  if (!views.has(room)) {
    const list = el("ol", {className: "messages", testid: "messages", "aria-label": `Messages in #${room}`});
    views.set(room, {list, byId: new Map(), pending: []});
  }
  state.view?.list.remove();
  state.view = views.get(room);
  $("log").append(state.view.list);
  if (state.view.list.querySelector(".msg")) notice("You are back. What was said meanwhile is not kept.");
  scrollToEnd();
}

function enterRoom(room) {
  stopTyping();
  state.channel?.leave();
  clearTypists();
  $("banner").textContent = "";
  state.room = room;
  showView(room);
  renderRooms();
  renderPeople([]);
  joinChannel(room);
  renderStatus();
}

function joinChannel(room) {
  const channel = socket.channel(`room:${room}`, () => ({name: state.me.name}));
  // A channel we are leaving may still deliver; its events belong to a room no longer shown.
  const live = handler => (...args) => { if (state.channel === channel) handler(...args); };
  state.channel = channel;
  watchPresence(channel, live);
  channel.on("new_msg", live(receiveMessage));
  channel.on("typing", live(receiveTyping));
  channel.onError(live(lost));
  channel.onClose(live(lost));
  channel.join()
    .receive("ok", live(joined))
    .receive("error", live(joinRefused))
    .receive("timeout", live(lost));
}

function joined({you}) {
  if (you?.name) state.me = {name: you.name, color: you.color};
  $("you-name").textContent = state.me.name;
  state.accepted = true;
  $("banner").textContent = "";
  renderStatus();
}

function joinRefused(reply) {
  lost();
  if (!String(reply?.reason).startsWith("name_")) {
    $("banner").textContent = `Could not join #${state.room}. ${inWords(reply)} Trying again…`;
    return; // phoenix.js retries by itself
  }
  state.channel.leave(); // the same name would only be refused again
  state.channel = null;
  renderStatus();
  askName(inWords(reply));
}

// ---- people
function watchPresence(channel, live) {
  const presence = new Presence(channel);
  // The first list after a (re)join is who was already here, not people arriving.
  let quiet = true;
  channel.onError(() => { quiet = true; });
  presence.onJoin(live((name, before) => {
    if (!before && !quiet && name !== state.me.name) notice(`${name} joined`);
  }));
  presence.onLeave(live((name, {metas}) => {
    if (metas.length > 0 || name === state.me.name) return;
    forgetTypist(name);
    if (!quiet) notice(`${name} left`);
  }));
  presence.onSync(live(() => {
    quiet = false;
    renderPeople(presence.list((name, {metas}) => ({name, metas})));
  }));
}

function renderPeople(people) {
  const isMe = person => person.name === state.me.name;
  people.sort((a, b) => isMe(b) - isMe(a) || a.name.localeCompare(b.name));
  $("people").replaceChildren(...people.map(({name, metas}) => {
    const item = el("li", {testid: `person-${name}`},
      avatar(name), el("span", {className: "person-name", text: name}));
    paint(item, metas[0]?.color);
    if (name === state.me.name) item.append(el("span", {className: "is-you", text: "(you)"}));
    if (metas.length > 1) item.append(el("span", {className: "badge", text: `×${metas.length}`}));
    return item;
  }));
  $("online-count").textContent = `${people.length} online`;
}

// ---- the message list
// Messages still being sent stay last, so everyone sees the order the server chose.
function insert(item, before = state.view.pending[0] ?? null) {
  const {list, byId} = state.view;
  list.insertBefore(item, before);
  regroup(item);
  regroup(item.nextElementSibling);
  while (list.children.length > KEEP_ITEMS) {
    byId.delete(list.firstElementChild.dataset.id);
    list.firstElementChild.remove();
  }
  if (state.atBottom) scrollToEnd();
}

function regroup(item) {
  const above = item?.previousElementSibling;
  if (!item?.dataset.author) return; // a notice has no author
  item.classList.toggle("continues", above?.dataset.author === item.dataset.author
    && item.dataset.at - above.dataset.at < GROUP_WITHIN_MS);
}

function messageItem({name, color, text, at}) {
  const own = name === state.me.name;
  const author = el("span", {className: "author", testid: "message-author", text: name});
  const bubble = el("p", {className: "bubble", testid: "message-text", text, dir: "auto"});
  const body = el("div", {className: "body"}, el("p", {className: "meta"}, author, el("time")), bubble);
  const item = el("li", {className: own ? "msg own" : "msg", testid: "message"}, avatar(name), body);
  item.dataset.author = name;
  paint(item, color);
  setTime(item, at);
  return item;
}

function setTime(item, at = Date.now()) {
  const date = new Date(at), time = item.querySelector("time");
  item.dataset.at = at;
  time.dateTime = date.toISOString();
  time.textContent = clock.format(date);
  time.title = date.toLocaleString();
}

function receiveMessage(msg) {
  forgetTypist(msg.name);
  const {byId, pending} = state.view;
  // Our own message comes back too. Its reply may already have named it; if the broadcast
  // won the race, it is the oldest bubble still sending with that text.
  const mine = byId.get(msg.id) ?? (msg.name === state.me.name
    && pending.find(item => item.querySelector(".bubble").textContent === msg.text));
  if (mine) {
    settle(state.view, mine, msg.id);
    return setTime(mine, msg.at);
  }
  const item = messageItem(msg);
  item.dataset.id = msg.id;
  byId.set(msg.id, item);
  insert(item);
  $("jump").hidden = state.atBottom;
}

const notice = text => insert(el("li", {className: "notice", testid: "notice", text}));

function scrollToEnd() {
  $("log").scrollTop = $("log").scrollHeight;
  state.atBottom = true;
  $("jump").hidden = true;
}

function watchScrolling() {
  const log = $("log");
  log.addEventListener("scroll", () => {
    state.atBottom = log.scrollHeight - log.scrollTop - log.clientHeight < 48;
    $("jump").hidden ||= state.atBottom;
  });
  // A growing composer or a phone's keyboard must not hide the newest message.
  new ResizeObserver(() => { if (state.atBottom) scrollToEnd(); }).observe(log);
  $("jump").addEventListener("click", scrollToEnd);
}

// ---- sending
function send(text) {
  const view = state.view;
  const item = messageItem({...state.me, text, at: Date.now()});
  item.classList.add("sending");
  insert(item, null);
  view.pending.push(item);
  scrollToEnd();

  // A push made while disconnected waits in phoenix.js: that wait is not a round trip.
  const timed = isJoined();
  const started = performance.now();
  state.channel.push("new_msg", {text})
    .receive("ok", ({id}) => {
      const ms = performance.now() - started;
      if (timed) $("rtt").textContent = ` · ${ms.toFixed(ms < 10 ? 1 : 0)} ms there and back`;
      settle(view, item, id);
    })
    .receive("error", reply => fail(view, item, inWords(reply)))
    .receive("timeout", () => fail(view, item, "The server did not answer."));
}

// Ends the wait of a bubble; false if something else already ended it.
function stopWaiting({pending}, item) {
  const index = pending.indexOf(item);
  if (index >= 0) pending.splice(index, 1);
  return index >= 0;
}

function settle(view, item, id) {
  if (!stopWaiting(view, item)) return;
  if (view.byId.has(id)) return item.remove(); // already shown: the broadcast came first
  item.classList.remove("sending");
  item.dataset.id = id;
  view.byId.set(id, item);
}

function fail(view, item, why) {
  if (!stopWaiting(view, item)) return;
  item.classList.replace("sending", "failed");
  const edit = el("button", {className: "quiet", type: "button", text: "Edit and resend"});
  edit.addEventListener("click", () => {
    setComposer([item.querySelector(".bubble").textContent, $("composer-input").value].filter(Boolean).join("\n"));
    item.remove();
  });
  item.querySelector(".body").append(el("p", {className: "why", role: "alert"}, `Not sent. ${why} `, edit));
  if (state.atBottom) scrollToEnd();
}

function fitComposer() {
  const {style, value} = $("composer-input");
  style.height = "auto";
  style.height = `${$("composer-input").scrollHeight}px`; // style.css sets the maximum
  $("composer").classList.toggle("ready", value.trim() !== "");
}

function setComposer(text) {
  $("composer-input").value = text;
  fitComposer();
  $("composer-input").focus();
}

function watchComposer() {
  const input = $("composer-input");
  input.addEventListener("input", () => {
    fitComposer();
    input.value.trim() ? keepTyping() : stopTyping();
  });
  input.addEventListener("keydown", event => {
    // Enter also confirms a candidate in an input method: that one is not ours.
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    $("composer").requestSubmit();
  });
  $("composer").addEventListener("submit", event => {
    event.preventDefault();
    const text = input.value.trim();
    if (!text || !state.channel) return;
    setComposer("");
    stopTyping();
    send(text);
  });
}

// ---- typing
let typingSentAt = 0; // 0: the others do not think we are typing
let typingIdle;

function keepTyping() {
  clearTimeout(typingIdle);
  typingIdle = setTimeout(stopTyping, TYPING_IDLE_MS);
  if (typingSentAt && performance.now() - typingSentAt < TYPING_EVERY_MS) return;
  if (pushTyping(true)) typingSentAt = performance.now();
}

function stopTyping() {
  clearTimeout(typingIdle);
  if (typingSentAt) pushTyping(false);
  typingSentAt = 0;
}

// Only while joined: phoenix.js would keep it and send it late, when it is no longer true.
function pushTyping(typing) {
  if (isJoined()) state.channel.push("typing", {typing});
  return isJoined();
}

function receiveTyping({name, typing}) {
  if (name === state.me.name) return;
  forgetTypist(name);
  if (typing) typists.set(name, setTimeout(forgetTypist, TYPING_EXPIRES_MS, name));
  renderTypists();
}

function forgetTypist(name) {
  clearTimeout(typists.get(name));
  if (typists.delete(name)) renderTypists();
}

const clearTypists = () => [...typists.keys()].forEach(forgetTypist);

function renderTypists() {
  const names = [...typists.keys()];
  const who = names.length > 3 ? "Several people" : listOf.format(names);
  $("typing").textContent = who && `${who} ${names.length === 1 ? "is" : "are"} typing…`;
  $("typing-dots").hidden = !who;
}

// ---- names
function askName(problem = "") {
  const input = $("name-input");
  input.value = state.me.name || `${pick(MOODS)} ${pick(BIRDS)}`;
  $("name-error").textContent = problem;
  input.setAttribute("aria-invalid", String(Boolean(problem)));
  if (!$("name-dialog").open) $("name-dialog").showModal();
  input.select();
}

function useName(name) {
  state.me = {name, color: null};
  state.lostAt = performance.now();
  sessionStorage.setItem("aviary-name", name);
  $("you-name").textContent = name;
  $("name-dialog").close();
  // The name is a parameter of the socket as well, so a new name is a new connection.
  state.channel?.leave();
  state.channel = null;
  socket.disconnect();
  socket.connect();
  enterRoom(roomFromHash());
  $("composer-input").focus();
}

function watchNameDialog() {
  $("name-form").addEventListener("submit", event => {
    event.preventDefault();
    const name = $("name-input").value.trim();
    if (!name) return askName(inWords({reason: "name_required"}));
    // A name in the address would win over the new one at the next reload.
    history.replaceState(null, "", location.pathname + location.hash);
    useName(name);
  });
  // Escape keeps the present name; without one there is nothing to go back to.
  $("name-dialog").addEventListener("close", () => { if (!state.channel) askName(); });
  $("change-name").addEventListener("click", () => askName());
}

// ---- start
function start() {
  watchScrolling();
  watchComposer();
  watchNameDialog();
  socket.onOpen(renderStatus);
  socket.onClose(lost);
  socket.onError(lost);
  for (const event of ["online", "offline"]) addEventListener(event, renderStatus);
  addEventListener("hashchange", () => state.channel && enterRoom(roomFromHash()));

  const fromAddress = new URLSearchParams(location.search).get("name")?.trim();
  const name = fromAddress || sessionStorage.getItem("aviary-name");
  state.room = roomFromHash();
  renderRooms();
  name ? useName(name) : askName();
}

start();
