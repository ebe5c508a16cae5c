//! Holds the encoding to abi/testdata/vectors.json.

use std::cell::RefCell;

use aviary::{array, object, Call, Context, Guest, Host, Level, Reason, Result, Value};

struct NoHost;

impl Host for NoHost {
    fn log(&self, _: Level, _: &str) {}

    fn presences(&self, _: &str) -> String {
        "{}".into()
    }

    fn config(&self, _: &str) -> Option<String> {
        None
    }
}

struct Vector {
    name: String,
    block: Vec<u8>,
    request: Vec<(String, Vec<u8>)>, // fields, empty for a response
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

/// Reads a field: a number, or text, or hex after "hex:".
fn field(v: Value) -> Vec<u8> {
    match v.str() {
        Ok(text) => text.strip_prefix("hex:").map_or_else(|| text.as_bytes().to_vec(), unhex),
        Err(_) => v.raw().to_vec(),
    }
}

fn vectors() -> Vec<Vector> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../abi/testdata/vectors.json");
    let path = std::env::var("AVIARY_VECTORS").unwrap_or_else(|_| path.into());
    let text = std::fs::read_to_string(path).unwrap();
    let read = |v: &Value| Vector {
        name: v.get("name").unwrap().string().unwrap(),
        block: unhex(&v.get("hex").unwrap().str().unwrap()),
        request: match v.get("request").unwrap().members() {
            Ok(members) => members.into_iter().map(|(key, v)| (key.into_owned(), field(v))).collect(),
            Err(_) => Vec::new(),
        },
    };
    let all = Value::json(&text).elements().unwrap();
    all.iter().map(read).collect()
}

thread_local! {
    /// What the handler at hand has seen, or is to do.
    static SEEN: RefCell<Vec<(&'static str, Vec<u8>)>> = RefCell::default();
    static DO: RefCell<String> = RefCell::default();
}

fn see(c: &Call, rest: &[(&'static str, &[u8])]) {
    SEEN.with(|seen| {
        let mut seen = seen.borrow_mut();
        *seen = rest.iter().map(|(name, bytes)| (*name, bytes.to_vec())).collect();
        seen.push(("time_ms", c.time().to_string().into_bytes()));
        seen.push(("socket_id", c.socket_id().into()));
        seen.push(("topic", c.topic().into()));
        seen.push(("event", c.event().into()));
        seen.push(("join_ref", c.join_ref().into()));
        seen.push(("id_topic", c.id_topic().into()));
        seen.push(("source", c.source().into()));
    });
}

fn look(c: &mut Context<Vec<u8>>, p: Value) -> Result {
    see(c, &[("payload", p.raw()), ("state", &c.state)]);
    Ok(c.no_reply())
}

fn watcher() -> Guest {
    let mut guest = Guest::new();
    guest.connect(|c, params| {
        see(c, &[("params", params.raw()), ("headers", c.headers().raw()), ("config", c.config("").unwrap().as_bytes())]);
        Ok(c.accept())
    });
    guest.channel::<Vec<u8>>("*", |all| {
        all.join(|c, p| look(c, p).map(|_| c.accept(())))
            .handle_in(look)
            .handle_info(look)
            .handle_out("new_msg", look)
            .terminate(|c, reason| {
                assert_eq!(reason, Reason::HeartbeatTimeout);
                let _ = look(c, Value::binary(b"")).unwrap();
            })
            .code_change(|c, version, _| {
                assert_eq!(version, 3);
                look(c, Value::binary(b"")).map(|_| ())
            });
    });
    guest
}

/// The request of a callback that is optional and that this SDK does not export, so that no host makes it.
const NOT_EXPORTED: &str = "request: presence_fetch";

#[test]
fn requests() {
    let mut n = 0;
    for v in vectors().iter().filter(|v| !v.request.is_empty() && v.name != NOT_EXPORTED) {
        n += 1;
        watcher().serve(&NoHost, &v.block);
        let seen = SEEN.with(|seen| seen.take());
        let mut checked = 0;
        for (name, want) in &v.request {
            if let Some((_, got)) = seen.iter().find(|(seen, _)| seen == name) {
                assert_eq!(String::from_utf8_lossy(got), String::from_utf8_lossy(want), "{}: {}", v.name, name);
                checked += 1;
            }
        }
        assert!(checked >= 3, "{}: {} fields looked at", v.name, checked);
    }
    assert!(n >= 8, "{} request vectors", n);
}

/// Does what the vector of that name has encoded, as far as handlers can.
fn act(c: &mut Context<()>, _: Value) -> Result {
    let name = DO.with(|name| name.borrow().clone());
    match name.as_str() {
        "effect: reply" => c.reply_to(&c.message_ref(), "late", array().add(1)),
        "effect: push" => c.push("e", object()),
        "effect: broadcast" => c.at("other").local().broadcast("e", object().set("a", 1)),
        "effect: broadcast_from" => c.broadcast_from("e", Value::binary(&[0])),
        "effect: send_info" => c.at("t").send_info("SOCK", "e", Value::json("1")),
        "effect: send_after" => c.send_after("k", 1500, "tick", object().set("n", 1)),
        "effect: cancel" => c.cancel("k"),
        "effect: subscribe" => c.subscribe("news"),
        "effect: unsubscribe" => c.unsubscribe("news"),
        "effect: presence_track" => c.track("ada", object().set("c", 1)),
        "effect: presence_update" => c.update_presence("ada", object().set("c", 2)),
        "effect: presence_untrack" => c.untrack("ada"),
        "effect: presence_push" => c.push_presence(),
        "effect: group_add" => c.group("g").add("t"),
        "effect: group_remove" => c.group("g").remove("t"),
        "effect: group_broadcast" => c.group("g").broadcast("e", object()),
        "effect: disconnect" => c.disconnect_all("users:7"),
        "effect: log" => c.log_effect(Level::Error, "line"),
        "effect: intercept" => c.stop_intercept("new_msg"),
        "response: nothing at all" => {}
        "response: reply with payload" => return Ok(c.reply(object().set("n", 1))),
        "response: reply with a status of its own" => return Ok(c.reply_status("weird", object().set("a", 1))),
        "response: stop with reason in words" => return Ok(c.stop(Reason::Error, "out of beans")),
        "response: pass" => return Ok(c.pass()),
        other => panic!("{} is no vector that a handler makes", other),
    }
    Ok(c.no_reply())
}

/// What an event handler does not make; [`others`] makes it.
const ELSEWHERE: [&str; 6] = [
    "response: refused connect",
    "response: accepted connect with id topic and state",
    "response: empty state is not an unchanged state",
    "response: push of bytes",
    "effect: stop",
    "response: all effects in one, with result and state",
];

/// A request of handle_in for the topic t, with the ref "7".
fn event() -> Vec<u8> {
    let mut block = vec![0; 136];
    block[0] = 136;
    block[2] = 3;
    for (at, text) in [(48, "t"), (56, "e"), (64, "\"7\""), (80, "{}")] {
        let offset = block.len() as u32;
        block[at..at + 4].copy_from_slice(&offset.to_le_bytes());
        block[at + 4] = text.len() as u8;
        block.extend_from_slice(text.as_bytes());
    }
    block
}

#[test]
fn responses() {
    let mut guest = Guest::new();
    guest.channel::<()>("*", |all| {
        all.join(|c, _| Ok(c.accept(()))).handle_in(act);
    });
    let mut n = 0;
    for v in vectors().iter().filter(|v| v.request.is_empty() && !ELSEWHERE.contains(&v.name.as_str())) {
        DO.with(|name| *name.borrow_mut() = v.name.clone());
        assert_eq!(guest.serve(&NoHost, &event()), v.block, "{}", v.name);
        n += 1;
    }
    assert_eq!(n, 24);
}

#[test]
fn others() {
    let all = vectors();
    let block = |name: &str| all.iter().find(|v| v.name == name).unwrap().block.clone();
    let mut guest = Guest::new();
    guest.connect(|c, params| match params.exists() {
        true => Ok(c.accept().id("users:7").seed(Value::binary(&[1, 2, 3]))),
        false => Ok(c.refuse(429, Value::binary(b"Too many requests"))),
    });
    guest.channel::<()>("*", |all| {
        all.join(|c, _| Ok(c.accept(()).stop(Reason::Shutdown, "bye")));
    });
    let mut request = event();
    request[2] = 1;
    assert_eq!(guest.serve(&NoHost, &request), block("response: refused connect"));

    let connect = all.iter().find(|v| v.name == "request: connect with params").unwrap();
    let mut accepted = guest.serve(&NoHost, &connect.block);
    accepted[4] = 2; // the vector has a version, which only the state of a channel has here
    assert_eq!(accepted, block("response: accepted connect with id topic and state"));

    request[2] = 2;
    let mut stopped = guest.serve(&NoHost, &request);
    stopped[2] = 0; // the vector has no result
    assert_eq!(stopped, block("effect: stop"));
}
