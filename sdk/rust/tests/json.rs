//! What is read from JSON, and how it is refused.

use aviary::{array, object, Kind, Payload, Value};

fn text(p: impl Payload) -> String {
    let mut out = Vec::new();
    p.write(&mut out);
    String::from_utf8(out).unwrap()
}

/// Asks for the member v as each type, and returns what comes of it.
fn ask(kind: &str, json: &str) -> String {
    let p = Value::json(json);
    let v = match p.get("v") {
        Ok(v) => v,
        Err(e) => return e.to_string(),
    };
    let answer = match kind {
        "str" => v.string(),
        "int" => v.int().map(text),
        "float" => v.float().map(text),
        "bool" => v.bool().map(text),
        "elements" => v.elements().map(|all| all.iter().map(text).collect::<Vec<_>>().join(" ")),
        "members" => v.members().map(|all| all.iter().map(|(key, v)| format!("{}={}", key, text(v))).collect::<Vec<_>>().join(" ")),
        other => panic!("{}", other),
    };
    answer.unwrap_or_else(|e| e.to_string())
}

#[test]
fn values() {
    let deep = format!(r#"{{"v":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    let shallow = format!(r#"{{"w":{}{},"v":1}}"#, "[".repeat(100), "]".repeat(100));
    for (kind, json, want) in [
        ("str", r#"{"v":"hi"}"#, "hi"),
        ("str", r#" { "w" : {"v":1} , "v" : "hi" } "#, "hi"),
        ("str", r#"{"\u0076":"a\"\\\/\b\f\n\r\t\u00e9\ud83d\udc26"}"#, "a\"\\/\u{8}\u{c}\n\r\té🐦"),
        ("str", r#"{"v":""}"#, ""),
        ("str", r#"{"v":1}"#, "v: has to be a string, is a number"),
        ("str", r#"{"v":null}"#, "v: has to be a string, is null"),
        ("str", r#"{"w":1}"#, "v: is missing"),
        ("str", r#"["v"]"#, "v: is missing"),
        ("str", r#"{"v":"a","v":"b"}"#, "v: is there twice"),
        ("str", r#"{"v":"a","w":2,"\u0076":"b"}"#, "v: is there twice"),
        ("str", r#"{"v":"\ud800"}"#, "v: is a string with half a surrogate pair"),
        ("str", r#"{"v":"\ud800\u0041"}"#, "v: is a string with half a surrogate pair"),
        ("str", r#"{"v":"\udc26\ud83d"}"#, "v: is a string with half a surrogate pair"),
        ("str", &deep, "v: is nested deeper than 128"),
        ("int", &shallow, "1"),
        ("str", r#"{"v":"#, "v: is not JSON"),
        ("int", r#"{"v":-9223372036854775808}"#, "-9223372036854775808"),
        ("int", r#"{"v":9223372036854775807}"#, "9223372036854775807"),
        ("int", r#"{"v":9223372036854775808}"#, "v: has to be a whole number of 64 bits, is 9223372036854775808"),
        ("int", r#"{"v":1.0}"#, "1"),
        ("int", r#"{"v":1.5e1}"#, "15"),
        ("int", r#"{"v":1200e-2}"#, "12"),
        ("int", r#"{"v":-0}"#, "0"),
        ("int", r#"{"v":0e999999999999}"#, "0"),
        ("int", r#"{"v":1.5}"#, "v: has to be a whole number of 64 bits, is 1.5"),
        ("int", r#"{"v":1e999}"#, "v: has to be a whole number of 64 bits, is 1e999"),
        ("int", r#"{"v":"7"}"#, "v: has to be a number, is a string"),
        ("float", r#"{"v":-2.5e3}"#, "-2500"),
        ("float", r#"{"v":1e-7}"#, "1e-7"),
        ("float", r#"{"v":1e999}"#, "v: has to be a number within the range of 64 bits, is 1e999"),
        ("bool", r#"{"v":true}"#, "true"),
        ("bool", r#"{"v":0}"#, "v: has to be true or false, is a number"),
        ("elements", r#"{"v":[1, [2,3] ,"x"]}"#, r#"1 [2,3] "x""#),
        ("elements", r#"{"v":{}}"#, "v: has to be an array, is an object"),
        ("members", r#"{"v":{"a":1,"b":{"c":2}}}"#, r#"a=1 b={"c":2}"#),
        ("members", r#"{"v":{"a":1,"b":2,"\u0061":3}}"#, "v: a is there twice"),
    ] {
        assert_eq!(ask(kind, json), want, "{} of {}", kind, json);
    }
}

#[test]
fn long_number_is_cut() {
    let json = format!(r#"{{"v":{}}}"#, "1".repeat(1000));
    assert_eq!(ask("int", &json).len(), "v: has to be a whole number of 64 bits, is ".len() + 40);
}

#[test]
fn written() {
    for (got, want) in [
        (text(object()), "{}"),
        (text(array()), "[]"),
        (text(object().set("a\"b", "\u{1}\n\\é🐦")), "{\"a\\\"b\":\"\\u0001\\n\\\\é🐦\"}"),
        (text(object().set("n", i64::MIN).set("f", 0.5).set("b", false)), r#"{"n":-9223372036854775808,"f":0.5,"b":false}"#),
        (text(object().set("none", None::<i64>).set("unit", ()).set("v", Value::json(" [1.00] "))), r#"{"none":null,"unit":null,"v":[1.00]}"#),
        (text(array().add(vec!["a", "b"]).add(object().set("x", array()))), r#"[["a","b"],{"x":[]}]"#),
        (text(array().add(f64::NAN).add(1e300).add(1e21).add(123456789.0)), "[null,1e300,1e21,123456789]"),
    ] {
        assert_eq!(got, want);
    }
}

#[test]
#[should_panic(expected = "aviary: bytes inside JSON")]
fn bytes_inside_json() {
    let _ = object().set("v", Value::binary(&[1]));
}

/// Whatever is written reads back, of any characters, at any length.
#[test]
fn strings_come_back() {
    let mut random = Numbers(1);
    for size in 0..400 {
        let s: String = (0..size % 40).map(|_| char::from_u32(random.next() % 0x3000).unwrap()).collect();
        let json = text(object().set("v", &s));
        assert_eq!(Value::json(&json).get("v").unwrap().string().unwrap(), s);
    }
}

/// Text that is not JSON gets some answer: no panic, and no loop without an end.
#[test]
fn any_text() {
    let mut random = Numbers(7);
    let alphabet = br#"{}[]",:\u0dv8e-+.1 tfn"#;
    for _ in 0..20_000 {
        let size = random.next() % 24;
        let text: String = (0..size).map(|_| char::from(alphabet[random.next() as usize % alphabet.len()])).collect();
        for v in [Ok(Value::json(&text)), Value::json(&text).get("v")].into_iter().flatten() {
            let told = [v.string().is_ok(), v.int().is_ok(), v.float().is_ok(), v.bool().is_ok(), v.elements().is_ok(), v.members().is_ok()];
            let expected = !matches!(v.kind(), Kind::Missing | Kind::Null | Kind::Malformed);
            assert!(told.iter().filter(|ok| **ok).count() <= 2, "{:?} is many things", text);
            assert!(expected || !told.contains(&true), "{:?} is {:?} and was read", text, v.kind());
        }
    }
}

/// Pseudo-random numbers, the same in each run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as u32
    }
}
