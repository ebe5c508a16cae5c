import { answered, askConfig, askPresences, Level, logLine } from "./host";
import { at, effect, eff, EffectKind, field, local, opaque, req, request, ResultKind, setOpaque, setText, size } from "./machine";
import { Pattern } from "./pattern";
import { randomWord } from "./random";
import { JoinResult, Reason, Result } from "./result";
import { Payload, Value, valueOf } from "./value";

/** How a client is connected. */
export enum Transport {
  WebSocket = 1,
  LongPoll = 2,
}

/** Where the message of an info handler came from. */
export enum InfoKind {
  /** sendInfo, or the server's API. */
  Message = 1,
  /** sendAfter. */
  Timer = 2,
  /** A broadcast on a topic that the channel subscribed to. */
  Broadcast = 3,
}

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

/** What every callback has, also connect. */
export class Shared {
  /** socketId names the client's connection. It is unique over the life of the cluster, and no secret. */
  get socketId(): string {
    return field(req.socketID);
  }

  get transport(): Transport {
    return load<u32>(request, req.transport);
  }

  /** time is the wall clock in milliseconds since 1970. */
  get time(): i64 {
    return load<i64>(request, req.time);
  }

  /**
   * random returns a number from 0 to below 1. It is fresh for each callback and nobody can foresee
   * it. Math.random is no substitute: its state is put back between callbacks.
   */
  random(): f64 {
    return <f64>(this.randomBits() >> 11) / <f64>(<u64>1 << 53);
  }

  /** randomBits returns 64 random bits. */
  randomBits(): u64 {
    return (<u64>randomWord() << 32) | <u64>randomWord();
  }

  /** newId returns 16 random characters, 80 bits: enough to name anything. */
  newId(): string {
    let id = "";
    let bits: u64 = 0;
    for (let i = 0; i < 16; i++) {
      if ((i & 7) == 0) bits = this.randomBits();
      id += alphabet.charAt(<i32>(bits & 31));
      bits >>= 5;
    }
    return id;
  }

  /** config returns one of the plugin's settings, missing if there is none. The empty key gives all of them. */
  config(key: string): Value {
    if (size(req.config) == 0) {
      const from = askConfig(key);
      return valueOf(from, max(answered, 0), "config." + key);
    }
    const all = valueOf(at(req.config), size(req.config), "config");
    return key == "" ? all : all.get(key);
  }

  /**
   * presences returns who is present on a topic: the object that presence_state carries. What this
   * callback tracks is not in it yet.
   */
  presences(topic: string): Value {
    const from = askPresences(topic);
    return valueOf(from, answered, "presences");
  }

  /** log writes a line to the server's log, at once: also when the handler fails afterwards. */
  log(level: Level, line: string): void {
    logLine(level, line);
  }

  /** logEffect writes a line to the log only if the callback succeeds. */
  logEffect(level: Level, line: string): void {
    const e = effect(EffectKind.Log);
    store<u32>(e, level, eff.number);
    setText(e + eff.payload, line);
  }

  /** at returns another topic to act on: c.at("lobby").broadcast("hello"). */
  at(topic: string): Target {
    return new Target(named(topic, "at"));
  }

  /** group returns a named set of topics to broadcast to at once. It exists while it has topics. */
  group(name: string): Group {
    return new Group(name);
  }

  /** disconnectAll closes all sockets to which connect gave this id topic. */
  disconnectAll(idTopic: string): void {
    setText(effect(EffectKind.Disconnect) + eff.key, idTopic);
  }
}

/** named fails for the empty topic, which would mean the channel's own. */
function named(topic: string, what: string): string {
  if (topic == "") throw new Error(what + " with an empty topic");
  return topic;
}

/** The part of a Context that does not depend on the state, for helpers that serve several channels. */
export class Call extends Shared {
  /** For the SDK. */
  pattern: Pattern | null = null;

  get topic(): string {
    return field(req.topic);
  }

  /** topicId is what the first star of the channel's pattern stands for: "7" for room:7 of room:*. */
  get topicId(): string {
    return this.wildcard(0);
  }

  /** wildcard returns what the i-th star of the pattern stands for, from 0. */
  wildcard(i: i32): string {
    const pattern = this.pattern;
    return pattern === null ? "" : pattern.wildcard(this.topic, i);
  }

  /** event is the event at hand, "" in join and terminate. */
  get event(): string {
    return field(req.event);
  }

  /** idTopic is the topic that the connect handler gave the socket, if any. */
  get idTopic(): string {
    return field(req.idTopic);
  }

  /** ref names the client's message, for replyTo in a later callback. It is "" where no reply is expected. */
  get ref(): string {
    return opaque(req.ref);
  }

  /** joinRef is the client's name for this join of the topic. */
  get joinRef(): string {
    return opaque(req.joinRef);
  }

  /** infoKind tells, in an info handler, where the message came from. */
  get infoKind(): InfoKind {
    return load<u32>(request, req.reason);
  }

  /** source is, in an info handler, the topic of a broadcast or the key of a timer, in terminate the reason in words. */
  get source(): string {
    return field(req.source);
  }

  /** accept lets the client join and answers it p. The effects of the join take place after this answer. */
  accept(p: Payload | null = null): JoinResult {
    return new JoinResult(ResultKind.Reply, p);
  }

  /** refuse does not let the client join and tells it p, by custom an object with a "reason". */
  refuse(p: Payload | null = null): JoinResult {
    return new JoinResult(ResultKind.ReplyError, p);
  }

  /** noReply leaves it at the effects. In an out handler it drops the message. */
  noReply(): Result {
    return new Result(ResultKind.NoReply);
  }

  /** reply answers the client's message with status ok: in handlers of the client's events. */
  reply(p: Payload | null = null): Result {
    return new Result(ResultKind.Reply, p);
  }

  /** replyError answers it with status error. */
  replyError(p: Payload | null = null): Result {
    return new Result(ResultKind.ReplyError, p);
  }

  /** replyStatus answers it with a status of your own. */
  replyStatus(status: string, p: Payload | null = null): Result {
    return new Result(ResultKind.Reply, p, status);
  }

  /** pass delivers a message as it is, in an out handler. */
  pass(): Result {
    return new Result(ResultKind.Pass);
  }

  /** stop ends the channel: Reason.Normal, Shutdown or Error. why is for the log. */
  stop(reason: Reason, why: string = ""): Result {
    return new Result(ResultKind.NoReply).stop(reason, why);
  }

  /** push sends an event to this channel's client. */
  push(event: string, p: Payload | null = null): void {
    setText(effect(EffectKind.Push, p) + eff.event, event);
  }

  /** broadcast sends an event to all subscribers of the channel's topic, this channel's client included. */
  broadcast(event: string, p: Payload | null = null): void {
    setText(effect(EffectKind.Broadcast, p) + eff.event, event);
  }

  /** broadcastFrom is broadcast to all but this channel. */
  broadcastFrom(event: string, p: Payload | null = null): void {
    setText(effect(EffectKind.BroadcastFrom, p) + eff.event, event);
  }

  /** replyTo answers an earlier message, whose ref the state has kept. The empty status means ok. To "" nothing is sent. */
  replyTo(ref: string, status: string, p: Payload | null = null): void {
    if (ref == "") return;
    const e = effect(EffectKind.Reply, p);
    setOpaque(e + eff.key, ref);
    setText(e + eff.event, status);
  }

  /** sendInfo sends a message to the channel itself; it comes to the info handlers. */
  sendInfo(event: string, p: Payload | null = null): void {
    setText(effect(EffectKind.SendInfo, p) + eff.event, event);
  }

  /**
   * sendAfter sends a message to the channel itself after a delay in milliseconds. It replaces the
   * pending one of the same key, if that is not empty.
   */
  sendAfter(key: string, delay: i64, event: string, p: Payload | null = null): void {
    const e = effect(EffectKind.SendAfter, p);
    setText(e + eff.key, key);
    store<i64>(e, delay, eff.value);
    setText(e + eff.event, event);
  }

  /** cancel takes back the pending message of that key. */
  cancel(key: string): void {
    setText(effect(EffectKind.Cancel) + eff.key, key);
  }

  /** subscribe makes the broadcasts of another topic come to the info handlers. */
  subscribe(topic: string): void {
    setText(effect(EffectKind.Subscribe) + eff.topic, named(topic, "subscribe"));
  }

  unsubscribe(topic: string): void {
    setText(effect(EffectKind.Unsubscribe) + eff.topic, named(topic, "unsubscribe"));
  }

  /**
   * track makes the channel present on its topic as key, with a meta for all to see: an object.
   * Tracking a key again updates its meta.
   */
  track(key: string, meta: Payload | null = null): void {
    setText(effect(EffectKind.PresenceTrack, meta) + eff.key, key);
  }

  /** updatePresence changes the meta of a key that the channel tracks. */
  updatePresence(key: string, meta: Payload | null = null): void {
    setText(effect(EffectKind.PresenceUpdate, meta) + eff.key, key);
  }

  /** untrack ends track. The end of the channel does so too. */
  untrack(key: string): void {
    setText(effect(EffectKind.PresenceUntrack) + eff.key, key);
  }

  /**
   * pushPresence pushes the list of who is present to this channel's client, as presence_state.
   * What is tracked before, in the same callback, is in it.
   */
  pushPresence(): void {
    effect(EffectKind.PresencePush);
  }

  /** local returns the channel's own topic, for broadcasts that stay on this node. */
  local(): Target {
    return new Target("").local();
  }

  /** disconnect closes this channel's socket. */
  disconnect(): void {
    effect(EffectKind.Disconnect);
  }

  /** intercept makes broadcasts of an event, from now on, go through the out handler. Those declared are intercepted at join. */
  intercept(event: string): void {
    setText(effect(EffectKind.Intercept) + eff.event, event);
  }

  /** stopIntercept ends intercept. */
  stopIntercept(event: string): void {
    const e = effect(EffectKind.Intercept);
    store<u16>(e, 4, eff.flags);
    setText(e + eff.event, event);
  }
}

/** A topic to act on: see at and local. */
export class Target {
  private here: bool = false;

  constructor(private topic: string) {}

  private effect(kind: EffectKind, p: Payload | null): usize {
    const e = effect(kind, p);
    setText(e + eff.topic, this.topic);
    return e;
  }

  private send(kind: EffectKind, event: string, p: Payload | null): void {
    const e = this.effect(kind, p);
    setText(e + eff.event, event);
    if (this.here) store<u16>(e, load<u16>(e, eff.flags) | local, eff.flags);
  }

  /** local keeps broadcasts to the subscribers on this node. */
  local(): Target {
    this.here = true;
    return this;
  }

  broadcast(event: string, p: Payload | null = null): void {
    this.send(EffectKind.Broadcast, event, p);
  }

  broadcastFrom(event: string, p: Payload | null = null): void {
    this.send(EffectKind.BroadcastFrom, event, p);
  }

  /** sendInfo sends a message to the channel that a socket has joined the topic with; "" means the socket at hand. */
  sendInfo(socketId: string, event: string, p: Payload | null = null): void {
    const e = this.effect(EffectKind.SendInfo, p);
    setText(e + eff.key, socketId);
    setText(e + eff.event, event);
  }

  track(key: string, meta: Payload | null = null): void {
    setText(this.effect(EffectKind.PresenceTrack, meta) + eff.key, key);
  }

  updatePresence(key: string, meta: Payload | null = null): void {
    setText(this.effect(EffectKind.PresenceUpdate, meta) + eff.key, key);
  }

  untrack(key: string): void {
    setText(this.effect(EffectKind.PresenceUntrack, null) + eff.key, key);
  }

  /** pushPresence pushes who is present on the topic to this channel's client. */
  pushPresence(): void {
    this.effect(EffectKind.PresencePush, null);
  }
}

/** A named set of topics. */
export class Group {
  constructor(private name: string) {}

  private effect(kind: EffectKind, p: Payload | null): usize {
    const e = effect(kind, p);
    setText(e + eff.key, this.name);
    return e;
  }

  /** add puts a topic into the group. */
  add(topic: string): void {
    setText(this.effect(EffectKind.GroupAdd, null) + eff.topic, topic);
  }

  /** remove takes a topic out of the group. */
  remove(topic: string): void {
    setText(this.effect(EffectKind.GroupRemove, null) + eff.topic, topic);
  }

  /** broadcast sends an event to all subscribers of each topic of the group. */
  broadcast(event: string, p: Payload | null = null): void {
    setText(this.effect(EffectKind.GroupBroadcast, p) + eff.event, event);
  }
}
