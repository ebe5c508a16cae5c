// A proxy between phoenix.js and the server, as stands in front of many: it keeps
// count of what goes through it, and can fail in the ways that make a client poll.
import http from "node:http";
import {WebSocket} from "./support.mjs";

// Starts a proxy to target, host:port. onSocket(connection, request) gets the
// WebSockets; without it they are refused. before() is awaited by each other request.
export async function proxy(t, {target = process.env.AVIARY_HOST, onSocket, before = () => {}} = {}) {
  const self = {target, requests: [], upgrades: 0};
  const server = http.createServer((request, response) => {
    relay(self, request, response, before).catch(() => response.destroy());
  });
  const sockets = new WebSocket.Server({noServer: true});
  server.on("upgrade", (request, connection, head) => {
    self.upgrades++;
    if (onSocket) sockets.handleUpgrade(request, connection, head, socket => onSocket(socket, request));
    else connection.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
  });
  await new Promise(resolve => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    return new Promise(resolve => server.close(resolve));
  });
  self.url = `ws://127.0.0.1:${server.address().port}`;
  // The lines of the batches that went through, a list for each POST.
  self.batches = () => self.requests.filter(r => r.method === "POST").map(r => r.body.split("\n").map(line => JSON.parse(line)));
  return self;
}

async function relay(self, request, response, before) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const {method, url, headers} = request;
  const body = Buffer.concat(chunks);
  self.requests.push({method, url, headers, body: body.toString()});
  await before();
  const [host, port] = self.target.split(":");
  const upstream = http.request({host, port, method, path: url, headers}, answer => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  upstream.on("error", () => response.writableEnded || response.destroyed || response.writeHead(502).end());
  response.on("close", () => upstream.destroy());
  upstream.end(body);
}
