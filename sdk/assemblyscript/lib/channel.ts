import { object } from "./build";
import { release } from "./arena";
import { check } from "./check";
import { Call, Shared } from "./call";
import { Level, logLine } from "./host";
import * as machine from "./machine";
import { Callback, req, ResultKind } from "./machine";
import { Pattern } from "./pattern";
import { forget } from "./random";
import { ConnectResult, JoinResult, Reason, Result } from "./result";
import { State } from "./state";
import { Kind, Payload, Value, valueOf } from "./value";

/** Answers an event, a message or a broadcast of a channel. */
export type Handler<S> = (c: Context<S>, p: Value) => Result;

/** Decides whether a client may join. p is the payload of its request. */
export type JoinHandler<S> = (c: Context<S>, p: Value) => JoinResult;

/** Runs when a channel ends. The client may be gone; only broadcasts and the like still reach somebody. */
export type TerminateHandler<S> = (c: Context<S>, reason: Reason) => void;

/**
 * Moves a channel from another version of the module to this one. c.state reads the old state by
 * the new fields; where that does not do, version and old are what the old module left. It returns
 * "", or why the channel has to stay with the old version.
 */
export type CodeChangeHandler<S> = (c: Context<S>, version: u32, old: Payload) => string;

/** Decides whether a client may connect. params are the query parameters of its request. */
export type ConnectHandler = (c: ConnectContext, params: Value) => ConnectResult;

/**
 * Context is what a handler works with: the request, the state of its channel and the effects it
 * asks for. It is good until the handler returns.
 */
export class Context<S> extends Call {
  private held: S | null = null;

  /**
   * state is the channel's state, decoded at the first call. What the handler leaves there is the
   * new state; if it fails, or refuses the join, nothing is. In join it is what the connect handler
   * gave as seed.
   */
  get state(): S {
    let held = this.held;
    if (held === null) {
      held = instantiate<S>();
      const size = machine.size(req.state);
      if (size > 0) held.load(view(machine.at(req.state), size));
      this.held = held;
    }
    return held;
  }

  set state(s: S) {
    this.held = s;
  }

  /** commit gives the state to the host, if it was asked for and is another one. For the SDK. */
  commit(always: bool): void {
    if (always) this.state;
    const held = this.held;
    if (held === null) return;
    const saved = held.save();
    const version = held.version();
    const same = version == load<u32>(machine.request, req.stateVersion) && saved.size == machine.size(req.state) &&
      memory.compare(saved.at, machine.at(req.state), saved.size) == 0;
    if (always || !same) machine.setState(saved.at, saved.size, version);
  }
}

function view(at: usize, size: i32): Payload {
  const p = new Payload();
  p.at = at;
  p.size = size;
  p.kind = Kind.Bytes;
  return p;
}

/** What a connect handler works with: there is no channel yet, so only effects that need none are to be had. */
export class ConnectContext extends Shared {
  /** header returns a header of the client's request, "" unless the configuration lets the guest see it. */
  header(name: string): string {
    return this.headers.get(name).strOr("");
  }

  /** headers are all headers that the guest may see. */
  get headers(): Value {
    return valueOf(machine.at(req.headers), machine.size(req.headers), "headers");
  }

  /** accept lets the client connect. */
  accept(): ConnectResult {
    return new ConnectResult(ResultKind.Reply);
  }

  /** refuse does not: the client gets the HTTP status, 400 to 599 or 0 for 403, and the body. */
  refuse(status: i32, body: Payload | null = null): ConnectResult {
    return new ConnectResult(ResultKind.ReplyError, status, body);
  }
}

/** A Route of any state. */
abstract class AnyRoute {
  constructor(public pattern: Pattern) {}
  abstract has(callback: Callback): bool;
  abstract serve(p: Value): void;
}

/** Handlers of one callback: by event, and for any other event. */
class Handlers<S> {
  events: string[] = [];
  named: Handler<S>[] = [];
  other: Handler<S> | null = null;

  add(where: string, event: string, handler: Handler<S>): void {
    if (event == "") throw new Error(where + ": handler of the empty event");
    if (this.events.includes(event)) throw new Error(where + ": event " + event + " twice");
    this.events.push(event);
    this.named.push(handler);
  }

  find(event: string): Handler<S> | null {
    const i = this.events.indexOf(event);
    return i < 0 ? this.other : this.named[i];
  }

  get any(): bool {
    return this.other !== null || this.named.length > 0;
  }
}

/** Route is a channel under declaration: the handlers of the topics of one pattern. Its methods return it. */
export class Route<S> extends AnyRoute {
  private joining: JoinHandler<S> | null = null;
  private ins: Handlers<S> = new Handlers<S>();
  private infos: Handlers<S> = new Handlers<S>();
  private outs: Handlers<S> = new Handlers<S>();
  private ending: TerminateHandler<S> | null = null;
  private changing: CodeChangeHandler<S> | null = null;

  constructor(pattern: string) {
    super(new Pattern(pattern));
  }

  private get where(): string {
    return "channel " + this.pattern.text;
  }

  private once(first: bool, what: string): void {
    if (!first) throw new Error(this.where + ": " + what + " twice");
  }

  /** join sets the handler of joins. A channel must have one: without, the server refuses the module. */
  join(handler: JoinHandler<S>): this {
    this.once(this.joining === null, "join");
    this.joining = handler;
    return this;
  }

  /** on sets the handler of one event from clients. */
  on(event: string, handler: Handler<S>): this {
    this.ins.add(this.where, event, handler);
    return this;
  }

  /**
   * handleIn sets the handler of all other events from clients. Without one they get the error reply
   * {"reason":"unknown event","event":...}.
   */
  handleIn(handler: Handler<S>): this {
    this.once(this.ins.other === null, "handleIn");
    this.ins.other = handler;
    return this;
  }

  /** onInfo sets the handler of one event of messages, timers and subscribed topics. */
  onInfo(event: string, handler: Handler<S>): this {
    this.infos.add(this.where, event, handler);
    return this;
  }

  /** handleInfo sets the handler of all others. Without one they are ignored. */
  handleInfo(handler: Handler<S>): this {
    this.once(this.infos.other === null, "handleInfo");
    this.infos.other = handler;
    return this;
  }

  /**
   * handleOut makes broadcasts of an event go through handler on their way to each client of the
   * channel. It answers pass to deliver the broadcast as it is, or noReply to drop it.
   */
  handleOut(event: string, handler: Handler<S>): this {
    this.outs.add(this.where, event, handler);
    return this;
  }

  /** terminate sets the handler of the channel's end. */
  terminate(handler: TerminateHandler<S>): this {
    this.once(this.ending === null, "terminate");
    this.ending = handler;
    return this;
  }

  /** codeChange sets the handler that brings a channel to this version of the module. */
  codeChange(handler: CodeChangeHandler<S>): this {
    this.once(this.changing === null, "codeChange");
    this.changing = handler;
    return this;
  }

  has(callback: Callback): bool {
    switch (callback) {
      case Callback.Join:
        return this.joining !== null;
      case Callback.HandleInfo:
        return this.infos.any;
      case Callback.HandleOut:
        return this.outs.any;
      case Callback.Terminate:
        return this.ending !== null;
      case Callback.CodeChange:
        return this.changing !== null;
    }
    return true;
  }

  serve(p: Value): void {
    const c = new Context<S>();
    c.pattern = this.pattern;
    switch (machine.callback()) {
      case Callback.Join:
        return this.serveJoin(c, p);
      case Callback.HandleIn:
        return this.serveEvent(c, this.ins, p);
      case Callback.HandleInfo:
        return this.serveEvent(c, this.infos, p);
      case Callback.HandleOut:
        return this.serveEvent(c, this.outs, p);
      case Callback.Terminate: {
        const handler = this.ending;
        if (handler !== null) handler(c, load<u32>(machine.request, req.reason));
        return;
      }
      case Callback.CodeChange:
        return this.serveCodeChange(c);
    }
  }

  private serveJoin(c: Context<S>, p: Value): void {
    const handler = this.joining!;
    const events = this.outs.events;
    for (let i = 0; i < events.length; i++) c.intercept(events[i]);
    const result = handler(c, p);
    result.write();
    if (result.kind == ResultKind.Reply) c.commit(false);
    else machine.dropEffects(events.length); // a refused join has nothing to intercept
  }

  private serveEvent(c: Context<S>, among: Handlers<S>, p: Value): void {
    const handler = among.find(c.event);
    if (handler !== null) handler(c, p).write();
    else if (machine.callback() == Callback.HandleOut) c.pass().write();
    else if (machine.callback() == Callback.HandleIn) {
      c.replyError(object().str("reason", "unknown event").str("event", c.event)).write();
    }
    c.commit(false);
  }

  private serveCodeChange(c: Context<S>): void {
    const handler = this.changing;
    if (handler === null) return keepState();
    const old = view(machine.at(req.state), machine.size(req.state));
    const why = handler(c, load<u32>(machine.request, req.stateVersion), old);
    if (why != "") return refuse(why);
    c.commit(true);
  }
}

/** What the module declared. Nothing else outlives a callback. */
const routes: AnyRoute[] = [];
let connecting: ConnectHandler | null = null;

/**
 * channel declares the channel that serves the topics that match a pattern, and returns it for
 * handlers to be added. It is called at the top level of the module.
 *
 * A pattern is a topic; or it ends in a star, which matches any rest, as room:* does; or whole
 * segments are stars, as in doc:*:page, each of which matches any one segment. The first declared
 * pattern that matches a topic wins.
 */
export function channel<S extends State>(pattern: string): Route<S> {
  const route = new Route<S>(pattern);
  routes.push(route);
  return route;
}

/** connect declares the handler of new connections. Without one every client is accepted. */
export function connect(handler: ConnectHandler): void {
  if (connecting !== null) throw new Error("connect twice");
  connecting = handler;
}

/** marker is what the module says of itself: which callbacks to spare the host. For the SDK. */
export function marker(): u64 {
  if (routes.length == 0) throw new Error("no channel is declared: call channel at the top level of the module");
  for (let i = 0; i < routes.length; i++) {
    if (!routes[i].has(Callback.Join)) throw new Error("channel " + routes[i].pattern.text + " has no join handler");
  }
  let absent: u64 = connecting === null ? 1 << Callback.Connect : 0;
  for (let callback = Callback.HandleIn; callback <= Callback.CodeChange; callback++) {
    let handled = false;
    for (let i = 0; i < routes.length; i++) handled = handled || routes[i].has(callback);
    if (!handled) absent |= 1 << callback;
  }
  return absent << 32;
}

/** serve answers a request. For the SDK. */
export function serve(request: usize): u64 {
  release();
  forget();
  machine.begin(request);
  if (machine.callback() == Callback.Connect) serveConnect();
  else serveChannel();
  return machine.finish();
}

function serveConnect(): void {
  const handler = connecting;
  if (handler === null) return machine.setResult(ResultKind.Reply, null);
  const params = valueOf(machine.at(req.params), machine.size(req.params), "params");
  handler(new ConnectContext(), params).write();
}

function serveChannel(): void {
  const topic = machine.field(req.topic);
  for (let i = 0; i < routes.length; i++) {
    if (routes[i].pattern.match(topic)) return serveRoute(routes[i]);
  }
  serveUnmatched(topic);
}

function serveRoute(route: AnyRoute): void {
  const from = machine.at(req.payload);
  const size = machine.size(req.payload);
  if (load<u8>(machine.request, req.flags) & 1) {
    const p = new Value().named("payload");
    p.at = from;
    p.size = size;
    p.kind = Kind.Bytes;
    return route.serve(p);
  }
  if (size > 0) {
    const problem = check(from, size, load<u32>(machine.request, req.seed));
    if (problem != "") return refusePayload(problem);
  }
  route.serve(valueOf(from, size, "payload"));
}

/** refusePayload answers a payload that has more than one reading, or is too deep. */
function refusePayload(problem: string): void {
  const callback = machine.callback();
  if (callback == Callback.Join || callback == Callback.HandleIn) return refuse("bad payload: " + problem);
  throw new Error("bad payload: " + problem);
}

/** refuse answers reply_error with a reason. */
function refuse(reason: string): void {
  machine.setResult(ResultKind.ReplyError, object().str("reason", reason));
}

/** keepState answers code_change by leaving everything as it was. */
function keepState(): void {
  machine.setState(machine.at(req.state), machine.size(req.state), load<u32>(machine.request, req.stateVersion));
}

/**
 * serveUnmatched answers for a topic that no channel serves. The host's configuration sends the
 * module topics that it does not know, or the version before this one knew them.
 */
function serveUnmatched(topic: string): void {
  switch (machine.callback()) {
    case Callback.Join:
      logLine(Level.Warn, unmatched(topic));
      return refuse("unmatched topic");
    case Callback.HandleIn:
    case Callback.CodeChange:
      return refuse("unmatched topic");
    case Callback.HandleOut:
      return machine.setResult(ResultKind.Pass, null);
  }
}

function unmatched(topic: string): string {
  let line = "no channel matches topic " + topic + "; declared are ";
  for (let i = 0; i < routes.length; i++) line += (i == 0 ? "" : ", ") + routes[i].pattern.text;
  return line;
}
