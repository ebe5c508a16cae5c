//! What the tests of all SDKs ask of a guest: see compiled_test.go.

use aviary::{object, Context, Fields, JoinResult, Result, State, Value};

#[derive(Default)]
struct Member {
    name: String,
    role: String,
    last: String,
    rooms: Vec<String>,
    seen: i64,
    score: f64,
    admin: bool,
}

impl State for Member {
    fn fields(&mut self, f: &mut Fields) {
        f.field("name", &mut self.name)
            .field("role", &mut self.role)
            .field("last", &mut self.last)
            .field("rooms", &mut self.rooms)
            .field("seen", &mut self.seen)
            .field("score", &mut self.score)
            .field("admin", &mut self.admin);
    }
}

aviary::module!(|guest| {
    guest.channel::<Member>("room:*", |room| {
        room.join(join)
            .on("typical", typical)
            .on("str", |c, p| Ok(c.reply(object().set("v", p.get("v")?.str()?))))
            .on("int", |c, p| Ok(c.reply(object().set("v", p.get("v")?.int()?))))
            .on("float", |c, p| Ok(c.reply(object().set("v", p.get("v")?.float()?))))
            .on("bool", |c, p| Ok(c.reply(object().set("v", p.get("v")?.bool()?))))
            .on("pass", |c, p| Ok(c.reply(object().set("v", p.get("v")?))))
            .on("large", large)
            .on("panic", panics)
            .handle_info(|_, p| Err(p.get("v")?.string()?.into()));
    });
});

fn join(c: &mut Context<Member>, p: Value) -> JoinResult {
    let me = &mut c.state;
    me.name = p.get("name")?.string()?;
    me.role = "a rather ordinary member of this room".into();
    me.last = "nothing yet, but there is room for a line".into();
    me.rooms = vec!["lobby".into(), "kitchen".into(), "garden".into()];
    me.seen = 1_700_000_000_123;
    me.score = 12.5;
    me.admin = true;
    Ok(c.accept(()))
}

fn typical(c: &mut Context<Member>, p: Value) -> Result {
    let (text, to, n) = (p.get("text")?.str()?, p.get("to")?.str()?, p.get("n")?.int()?);
    c.state.seen += n;
    c.state.last = text.to_string();
    c.broadcast("typical", object().set("from", &c.state.name).set("to", to).set("text", text).set("n", c.state.seen));
    Ok(c.reply(object().set("ok", true).set("seen", c.state.seen).set("rooms", &c.state.rooms)))
}

/// Makes and drops more than the memory holds at once.
fn large(c: &mut Context<Member>, p: Value) -> Result {
    let size = p.get("v")?.int()?;
    let mut sum = 0;
    for i in 0..size {
        let piece = vec![i as u8; 1 << 20];
        sum += i64::from(piece[piece.len() / 2]);
    }
    Ok(c.reply(object().set("v", sum)))
}

fn panics(_: &mut Context<Member>, p: Value) -> Result {
    panic!("boom {}", p.get("v")?.int()?);
}
