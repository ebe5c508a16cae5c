import { effect, eff, EffectKind, res, response, ResultKind, setPayload, setResult, setText } from "./machine";
import { Payload } from "./value";

/** Why a channel ends. A guest may give the first three. */
export enum Reason {
  /** The client is told phx_close. */
  Normal = 1,
  /** The client is told phx_close. */
  Shutdown = 2,
  /** The client is told phx_error, upon which it joins again. */
  Error = 3,
  Left = 4,
  Closed = 5,
  HeartbeatTimeout = 6,
  DuplicateJoin = 7,
  Draining = 8,
  Disconnected = 9,
}

/** What a handler decided. It takes place after all effects of the callback. */
export class Result {
  private reason: Reason = 0;
  private why: string = "";

  constructor(
    private kind: ResultKind,
    private payload: Payload | null = null,
    private status: string = "",
  ) {}

  /** stop adds that the channel ends after it: c.reply(p).stop(Reason.Normal). */
  stop(reason: Reason, why: string = ""): Result {
    this.reason = reason;
    this.why = why;
    return this;
  }

  /** write puts it into the response. For the SDK. */
  write(): void {
    if (this.reason == 0) {
      setResult(this.kind, this.payload);
      setText(response + res.event, this.status);
      return;
    }
    if (this.kind == ResultKind.Reply || this.kind == ResultKind.ReplyError) {
      const e = effect(EffectKind.Reply, this.payload);
      setText(e + eff.event, this.kind == ResultKind.ReplyError ? "error" : this.status);
    }
    setResult(ResultKind.Stop, null);
    store<u32>(response, this.reason, res.number);
    setText(response + res.text, this.why);
  }
}

/** What a join handler decided. */
export class JoinResult {
  private reason: Reason = 0;
  private why: string = "";

  constructor(
    /** For the SDK. */
    public kind: ResultKind,
    private payload: Payload | null,
  ) {}

  /** stop adds to an accepted join that the channel ends right after its effects. */
  stop(reason: Reason, why: string = ""): JoinResult {
    this.reason = reason;
    this.why = why;
    return this;
  }

  /** write puts it into the response. For the SDK. */
  write(): void {
    setResult(this.kind, this.payload);
    if (this.reason == 0) return;
    const e = effect(EffectKind.Stop);
    store<u32>(e, this.reason, eff.number);
    setText(e + eff.payload, this.why);
  }
}

/** What a connect handler decided. */
export class ConnectResult {
  private idTopic: string = "";
  private state: Payload | null = null;

  constructor(
    private kind: ResultKind,
    private status: i32 = 0,
    private body: Payload | null = null,
  ) {}

  /** id gives the socket a topic of its own, by which it can be disconnected: c.disconnectAll. */
  id(topic: string): ConnectResult {
    this.idTopic = topic;
    return this;
  }

  /** seed sets the state that each join of the socket begins with: an object with its fields. */
  seed(state: Payload): ConnectResult {
    this.state = state;
    return this;
  }

  /** write puts it into the response. For the SDK. */
  write(): void {
    setResult(this.kind, this.body);
    store<u32>(response, this.status, res.number);
    setText(response + res.idTopic, this.idTopic);
    const state = this.state;
    if (state === null) return;
    store<u8>(response, load<u8>(response, res.flags) | 2, res.flags);
    setPayload(response + res.state, state);
  }
}
