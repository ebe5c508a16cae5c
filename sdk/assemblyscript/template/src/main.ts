// {{name}} is the logic of the topics room:*, a chat with presence. The server calls the
// handlers that the top level declares.
import { channel, Context, Fields, JoinResult, object, Obj, Result, State, Value } from "../aviary";

// Member is what a channel remembers from one callback to the next.
class Member extends State {
  name: string = "";
  sent: i64 = 0;

  fields(f: Fields): void {
    this.name = f.str("name", this.name);
    this.sent = f.int("n", this.sent);
  }
}

channel<Member>("room:*")
  .join(join)
  .on("new_msg", newMessage)
  .on("shout", shout)
  .on("whoami", whoAmI)
  .handleIn(unknown)
  .onInfo("shout", shouted);

function join(c: Context<Member>, p: Value): JoinResult {
  if (!isText(p.get("name"), 40)) {
    return c.refuse(reason("a name has to have 1 to 40 characters"));
  }
  const name = p.get("name").str();
  c.state.name = name;
  c.track(name, object().str("name", name));
  c.pushPresence();
  return c.accept(object().str("name", name));
}

function newMessage(c: Context<Member>, p: Value): Result {
  if (!isText(p.get("text"), 500)) {
    return c.replyError(reason("a message has to have 1 to 500 characters"));
  }
  const me = c.state;
  me.sent++;
  c.broadcast("new_msg", object().str("name", me.name).str("text", p.get("text").str()).int("n", me.sent));
  return c.reply(object().int("n", me.sent));
}

// shout says something later.
function shout(c: Context<Member>, p: Value): Result {
  const after = p.get("after").intOr(-1);
  if (after < 0 || after > 10_000) {
    return c.replyError(reason("after has to be 0 to 10000 milliseconds"));
  }
  if (!isText(p.get("text"), 500)) {
    return c.replyError(reason("a message has to have 1 to 500 characters"));
  }
  c.sendAfter("", after, "shout", object().str("text", p.get("text").str()));
  return c.reply();
}

function shouted(c: Context<Member>, p: Value): Result {
  c.broadcast("shout", object().str("name", c.state.name).set("text", p.get("text")));
  return c.noReply();
}

function whoAmI(c: Context<Member>, p: Value): Result {
  return c.reply(object().str("name", c.state.name).int("n", c.state.sent));
}

function unknown(c: Context<Member>, p: Value): Result {
  return c.replyError(reason("no such event: " + c.event));
}

// isText tells whether v is a string of 1 to limit characters.
function isText(v: Value, limit: i32): bool {
  return v.chars >= 1 && v.chars <= limit;
}

function reason(why: string): Obj {
  return object().str("reason", why);
}
