//! Patterns, states and declarations, seen through requests.

use aviary::{object, Context, Fields, Guest, Host, Level, Ref, Result, State, Value};

struct TestHost;

impl Host for TestHost {
    fn log(&self, _: Level, _: &str) {}

    fn presences(&self, topic: &str) -> String {
        format!(r#"{{"{}":{{"metas":[]}}}}"#, topic)
    }

    fn config(&self, key: &str) -> Option<String> {
        (key == "limit").then(|| "7".into())
    }
}

/// Encodes a request of a callback.
fn request(callback: u8, topic: &str, event: &str, state: &[u8]) -> Vec<u8> {
    let mut block = vec![0; 136];
    block[0] = 136;
    block[2] = callback;
    block[16] = callback; // the seed
    for (at, text) in [(48, topic.as_bytes()), (56, event.as_bytes()), (64, b"\"7\""), (80, b"{\"v\":1}"), (88, state)] {
        let offset = block.len() as u32;
        block[at..at + 4].copy_from_slice(&offset.to_le_bytes());
        block[at + 4] = text.len() as u8;
        block.extend_from_slice(text);
    }
    block
}

/// Returns what a pair of a response names.
fn pair(block: &[u8], at: usize) -> String {
    let word = |at: usize| u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]]) as usize;
    String::from_utf8(block[word(at)..word(at) + word(at + 4)].to_vec()).unwrap()
}

const RESULT: usize = 2;
const PAYLOAD: usize = 24;
const STATE: usize = 40;

fn topic_parts(c: &mut Context<()>, _: Value) -> Result {
    Ok(c.reply(object().set("first", c.topic_id()).set("second", c.wildcard(1))))
}

fn declare(pattern: &'static str) -> Guest {
    let mut guest = Guest::new();
    guest.channel::<()>(pattern, |all| {
        all.join(|c, _| Ok(c.accept(()))).on("e", topic_parts);
    });
    guest
}

#[test]
fn patterns() {
    for (pattern, topic, want) in [
        ("room:*", "room:7", r#"{"first":"7","second":""}"#),
        ("room:*", "room:7:x", r#"{"first":"7:x","second":""}"#),
        ("room:*", "room:", r#"{"first":"","second":""}"#),
        ("room:*", "rooms", r#"{"reason":"unmatched topic"}"#),
        ("room", "room", r#"{"first":"","second":""}"#),
        ("room", "room:1", r#"{"reason":"unmatched topic"}"#),
        ("doc:*:*", "doc:a:b", r#"{"first":"a","second":"b"}"#),
        ("doc:*:page", "doc::page", r#"{"first":"","second":""}"#),
        ("doc:*:page", "doc:a", r#"{"reason":"unmatched topic"}"#),
        ("doc:*:page", "doc:a:page:b", r#"{"reason":"unmatched topic"}"#),
        ("*", "anything", r#"{"first":"anything","second":""}"#),
    ] {
        let block = declare(pattern).serve(&TestHost, &request(3, topic, "e", b""));
        assert_eq!(pair(&block, PAYLOAD), want, "{} for {}", topic, pattern);
    }
}

#[test]
fn unknown_event() {
    let block = declare("*").serve(&TestHost, &request(3, "t", "dance", b""));
    assert_eq!(pair(&block, PAYLOAD), r#"{"reason":"unknown event","event":"dance"}"#);
}

#[test]
fn marker_masks_what_is_absent() {
    assert_eq!(declare("*").marker(), 0b1111_0010 << 32);
}

#[derive(Default, Debug, PartialEq)]
struct Place {
    x: i64,
}

impl State for Place {
    fn fields(&mut self, f: &mut Fields) {
        f.field("x", &mut self.x);
    }
}

#[derive(Default, Debug, PartialEq)]
struct All {
    text: String,
    whole: i64,
    near: f64,
    yes: bool,
    tags: Vec<String>,
    maybe: Option<i64>,
    owed: Ref,
    place: Place,
}

impl State for All {
    fn fields(&mut self, f: &mut Fields) {
        f.field("text", &mut self.text).field("whole", &mut self.whole).field("near", &mut self.near);
        f.field("yes", &mut self.yes).field("tags", &mut self.tags).field("maybe", &mut self.maybe);
        f.field("owed", &mut self.owed).group("place", &mut self.place);
    }
}

#[test]
fn states_come_back() {
    let mut guest = Guest::new();
    guest.channel::<All>("*", |all| {
        all.join(|c, _| Ok(c.accept(()))).on("fill", |c, _| {
            c.state.text = "a \"b\"".into();
            c.state.whole = i64::MAX;
            c.state.near = -0.25;
            c.state.yes = true;
            c.state.tags = vec!["x".into(), "".into()];
            c.state.maybe = Some(0);
            c.state.owed = c.message_ref();
            c.state.place.x = 3;
            Ok(c.no_reply())
        });
        all.on("same", |c, _| Ok(c.reply_error(object().set("whole", c.state.whole))));
    });
    let block = guest.serve(&TestHost, &request(3, "t", "fill", b""));
    let state = pair(&block, STATE);
    let want = r#"{"text":"a \"b\"","whole":9223372036854775807,"near":-0.25,"yes":true,"tags":["x",""],"maybe":0,"owed":"\"7\"","place":{"x":3}}"#;
    assert_eq!(state, want);
    let mut back = All::default();
    back.load(state.as_bytes()).unwrap();
    assert_eq!(back.place, Place { x: 3 });
    assert_eq!(back.tags, ["x", ""]);
    let block = guest.serve(&TestHost, &request(3, "t", "same", state.as_bytes()));
    assert_eq!((pair(&block, STATE).as_str(), block[3] & 2), ("", 0), "an unchanged state was sent");
    assert_eq!(pair(&block, PAYLOAD), r#"{"whole":9223372036854775807}"#);
}

#[test]
fn states_of_other_types_are_errors() {
    for (state, want) in [
        (r#"{"whole":"7"}"#, "whole: has to be a number, is a string"),
        (r#"{"whole":1.5}"#, "whole: has to be a whole number of 64 bits, is 1.5"),
        (r#"{"tags":[1]}"#, "tags: has to be a string, is a number"),
        (r#"{"place":{"x":true}}"#, "place: x: has to be a number, is true or false"),
        (r#"{"text":"a","text":"b","whole":1}"#, ""), // the second is skipped as any field that nobody asks for
        ("[]", "is no object"),
        (r#"{"unknown":1}"#, ""),
    ] {
        let error = All::default().load(state.as_bytes()).err();
        assert_eq!(error.map_or_else(String::new, |e| e.to_string()), want, "{}", state);
    }
}

#[test]
fn errors_refuse() {
    let mut guest = Guest::new();
    guest.channel::<Vec<u8>>("*", |all| {
        all.join(|c, p| {
            c.state.push(1);
            c.push("e", ());
            Ok(c.accept(p.get("v")?.str()?))
        });
        all.handle_out("e", |c, _| Ok(c.pass()));
        all.on("bad", |c, p| {
            c.state.push(1);
            Ok(c.reply(p.get("w")?.str()?))
        });
    });
    let block = guest.serve(&TestHost, &request(2, "t", "", b""));
    assert_eq!((block[RESULT], block[3]), (2, 0), "a refused join has no state");
    assert_eq!(pair(&block, PAYLOAD), r#"{"reason":"v: has to be a string, is a number"}"#);
    assert_eq!(block[20], 1, "a refused join intercepts nothing");
    let block = guest.serve(&TestHost, &request(3, "t", "bad", b""));
    assert_eq!(pair(&block, PAYLOAD), r#"{"reason":"w: is missing"}"#);
}

#[test]
fn questions_to_the_host() {
    let mut guest = Guest::new();
    guest.channel::<()>("*", |all| {
        all.join(|c, _| Ok(c.accept(()))).on("ask", |c, _| {
            let (id, other) = (c.new_id(), c.new_id());
            assert!(id != other && id.len() == 16, "{} {}", id, other);
            let limit = c.config("limit").unwrap();
            let here = c.presences("t");
            Ok(c.reply(object().set("limit", Value::json(&limit)).set("here", Value::json(&here)).set("none", c.config("no"))))
        });
    });
    let block = guest.serve(&TestHost, &request(3, "t", "ask", b""));
    assert_eq!(pair(&block, PAYLOAD), r#"{"limit":7,"here":{"t":{"metas":[]}},"none":null}"#);
}

#[test]
#[should_panic(expected = "a second handler for the event \"e\"")]
fn second_handler() {
    Guest::new().channel::<()>("*", |all| {
        all.on("e", |c, _| Ok(c.no_reply())).on("e", |c, _| Ok(c.no_reply()));
    });
}

#[test]
#[should_panic(expected = "aviary: channel * has no join handler")]
fn no_join() {
    Guest::new().channel::<()>("*", |_| {});
}

#[test]
#[should_panic(expected = "aviary: request of 3 bytes")]
fn short_request() {
    declare("*").serve(&TestHost, &[1, 2, 3]);
}

/// A response to an error in handle_info has nobody to go to: it fails the callback.
#[test]
#[should_panic(expected = "nobody waits")]
fn errors_in_messages() {
    let mut guest = Guest::new();
    guest.channel::<()>("*", |all| {
        all.join(|c, _| Ok(c.accept(()))).handle_info(|_, _| Err("nobody waits".into()));
    });
    guest.serve(&TestHost, &request(4, "t", "e", b""));
}
