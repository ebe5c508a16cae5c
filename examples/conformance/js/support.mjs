// What the cases share: the packages, phoenix.js sockets that tidy up, a counting
// transport, and a scripted server for what a good server never does.
import {createRequire} from "node:module";
import {join} from "node:path";

// The packages live outside the tree, in the node_modules that the Go test names.
const require = createRequire(join(process.env.AVIARY_NODE_MODULES, "judge.js"));
export const {Socket, Presence} = require("phoenix");
export const WebSocket = require("ws");

export const SERVER = `ws://${process.env.AVIARY_HOST}`;

// Asks the control port to do something: bcast, kill or drain.
export async function control(what, params = {}, ctl = process.env.AVIARY_CTL) {
  const response = await fetch(`http://${ctl}/ctl/${what}?${new URLSearchParams(params)}`);
  if (response.status !== 204) throw new Error(`/ctl/${what}: ${response.status} ${await response.text()}`);
}

// A transport class of its own for each socket, which remembers the connections
// it made and the frames it sent and received.
export function recorder() {
  return class Recorder extends WebSocket {
    static connections = [];
    static sent = [];
    static received = [];
    constructor(url, protocols) {
      super(url, protocols);
      Recorder.connections.push(this);
      this.on("message", data => Recorder.received.push(JSON.parse(data)));
    }
    send(data) {
      Recorder.sent.push(JSON.parse(data));
      super.send(data);
    }
    static joins(topic) {
      return Recorder.sent.filter(([, , to, event]) => to === topic && event === "phx_join");
    }
  };
}

// Connects phoenix.js and disconnects it when the test ends.
export async function connect(t, {url = `${SERVER}/socket`, ...options} = {}) {
  const transport = recorder();
  const socket = new Socket(url, {transport, ...options});
  t.after(() => disconnect(socket));
  const opened = new Promise(resolve => socket.onOpen(resolve));
  socket.connect();
  await opened;
  return {socket, transport};
}

const disconnect = socket => new Promise(resolve => socket.disconnect(resolve));

// The outcome of a push: [status, response].
export const outcome = push => new Promise(resolve => {
  for (const status of ["ok", "error", "timeout"]) push.receive(status, response => resolve([status, response]));
});

// A round trip on a channel: what was sent before it has been handled after it.
export const roundTrip = channel => outcome(channel.push("echo", {}));

// Resolves when subscribe has called back n times, with what it was called with.
export const times = (n, subscribe) => new Promise(resolve => {
  const calls = [];
  subscribe((...args) => { if (calls.push(args) === n) resolve(calls); });
});

// A server that does what onFrame(connection, frame, n) says; n counts the
// connections from 1.
export async function scripted(t, {onFrame = () => {}, onOpen = () => {}} = {}) {
  const server = new WebSocket.Server({port: 0, host: "127.0.0.1"});
  await new Promise(resolve => server.on("listening", resolve));
  t.after(() => {
    for (const connection of server.clients) connection.terminate();
    return new Promise(resolve => server.close(resolve));
  });
  let n = 0;
  server.on("connection", connection => {
    const number = ++n;
    connection.on("message", data => onFrame(connection, JSON.parse(data), number));
    onOpen(connection, number);
  });
  return {url: `ws://127.0.0.1:${server.address().port}/socket`, count: () => n};
}

export const reply = (connection, [joinRef, ref, topic], status, response = {}) =>
  connection.send(JSON.stringify([joinRef, ref, topic, "phx_reply", {status, response}]));
