//! Declarations: which handlers serve which topics.

use std::ops::Deref;

use crate::answer::{Answer, JoinResult, Reason};
use crate::call::Call;
use crate::error::{Error, Result};
use crate::pattern::Pattern;
use crate::payload::object;
use crate::request::{self, CODE_CHANGE, HANDLE_IN, HANDLE_INFO, HANDLE_OUT, JOIN, TERMINATE};
use crate::response::{NO_REPLY, PASS, REPLY, REPLY_ERROR};
use crate::state::State;
use crate::value::Value;

/// What a handler works with: the request and the effects, which are those of [`Call`], and the state of its channel. What
/// the handler leaves in the state is the new one; if it panics, or does not let the client join, nothing is.
pub struct Context<'a, S> {
    call: Call<'a>,
    /// What the channel remembers. In join it is what the connect handler gave as seed.
    pub state: S,
}

impl<'a, S> Deref for Context<'a, S> {
    type Target = Call<'a>;

    fn deref(&self) -> &Call<'a> {
        &self.call
    }
}

/// Answers an event, a message or a broadcast of a channel.
pub type Handler<S> = fn(&mut Context<S>, Value) -> Result;

/// Decides whether a client may join. The value is the payload of its request.
pub type JoinHandler<S> = fn(&mut Context<S>, Value) -> JoinResult;

/// Runs when a channel ends. The client may be gone; only broadcasts and the like still reach somebody.
pub type TerminateHandler<S> = fn(&mut Context<S>, Reason);

/// Brings a channel from another version of the module to this one: the state has been read by the new code; where that
/// does not do, there are the version and the bytes that the old module left. An error keeps the channel with the old
/// version. Only log lines are allowed as effects.
pub type CodeChangeHandler<S> = fn(&mut Context<S>, u32, &[u8]) -> Result<()>;

/// A channel under declaration: the handlers of the topics of one pattern. Its methods panic on what cannot be meant,
/// such as a second handler for the same thing.
pub struct Channel<S> {
    pattern: Pattern,
    join: Option<JoinHandler<S>>,
    handle_in: Handlers<S>,
    handle_info: Handlers<S>,
    handle_out: Handlers<S>,
    terminate: Option<TerminateHandler<S>>,
    code_change: Option<CodeChangeHandler<S>>,
}

/// Handlers by event, and of any other event.
struct Handlers<S> {
    named: Vec<(&'static str, Handler<S>)>,
    other: Option<Handler<S>>,
}

impl<S> Handlers<S> {
    fn new() -> Self {
        Handlers { named: Vec::new(), other: None }
    }

    fn find(&self, event: &str) -> Option<Handler<S>> {
        let named = self.named.iter().find(|(name, _)| *name == event);
        named.map(|(_, handler)| *handler).or(self.other)
    }

    fn any(&self) -> bool {
        self.other.is_some() || !self.named.is_empty()
    }

    fn add(&mut self, event: &'static str, handler: Handler<S>) {
        if event.is_empty() || self.named.iter().any(|(name, _)| *name == event) {
            panic!("aviary: a second handler for the event {:?}, or one for the empty event", event);
        }
        self.named.push((event, handler));
    }
}

/// Sets a handler once.
fn once<T>(to: &mut Option<T>, handler: T, what: &str) {
    if to.replace(handler).is_some() {
        panic!("aviary: {} twice", what);
    }
}

impl<S: State> Channel<S> {
    pub(crate) fn new(pattern: &'static str) -> Self {
        Channel {
            pattern: Pattern::new(pattern),
            join: None,
            handle_in: Handlers::new(),
            handle_info: Handlers::new(),
            handle_out: Handlers::new(),
            terminate: None,
            code_change: None,
        }
    }

    /// Sets the handler of joins. A channel must have one.
    pub fn join(&mut self, handler: JoinHandler<S>) -> &mut Self {
        once(&mut self.join, handler, "join");
        self
    }

    /// Sets the handler of one event from clients.
    pub fn on(&mut self, event: &'static str, handler: Handler<S>) -> &mut Self {
        self.handle_in.add(event, handler);
        self
    }

    /// Sets the handler of all other events from clients. Without one they get the error reply
    /// `{"reason":"unknown event","event":...}`.
    pub fn handle_in(&mut self, handler: Handler<S>) -> &mut Self {
        once(&mut self.handle_in.other, handler, "handle_in");
        self
    }

    /// Sets the handler of one event of messages, timers and subscribed topics.
    pub fn on_info(&mut self, event: &'static str, handler: Handler<S>) -> &mut Self {
        self.handle_info.add(event, handler);
        self
    }

    /// Sets the handler of all others. Without one they are ignored.
    pub fn handle_info(&mut self, handler: Handler<S>) -> &mut Self {
        once(&mut self.handle_info.other, handler, "handle_info");
        self
    }

    /// Makes broadcasts of an event go through the handler on their way to each client of the channel. It answers pass
    /// to deliver the broadcast as it is, or no_reply to drop it, having pushed something else or not.
    pub fn handle_out(&mut self, event: &'static str, handler: Handler<S>) -> &mut Self {
        self.handle_out.add(event, handler);
        self
    }

    /// Sets the handler of the channel's end.
    pub fn terminate(&mut self, handler: TerminateHandler<S>) -> &mut Self {
        once(&mut self.terminate, handler, "terminate");
        self
    }

    /// Sets the handler that brings a channel to this version of the module. Without one its state is taken over as it is.
    pub fn code_change(&mut self, handler: CodeChangeHandler<S>) -> &mut Self {
        once(&mut self.code_change, handler, "code_change");
        self
    }
}

/// A [`Channel`] of any state.
pub(crate) trait Route {
    fn pattern(&self) -> Pattern;
    fn has(&self, callback: u8) -> bool;
    fn serve<'a>(&self, call: Call<'a>) -> Call<'a>;
}

impl<S: State> Route for Channel<S> {
    fn pattern(&self) -> Pattern {
        self.pattern
    }

    fn has(&self, callback: u8) -> bool {
        match callback {
            JOIN => self.join.is_some(),
            HANDLE_INFO => self.handle_info.any(),
            HANDLE_OUT => self.handle_out.any(),
            TERMINATE => self.terminate.is_some(),
            CODE_CHANGE => self.code_change.is_some(),
            _ => true,
        }
    }

    fn serve<'a>(&self, mut call: Call<'a>) -> Call<'a> {
        call.pattern = Some(self.pattern);
        let mut c = Context { call, state: S::default() };
        match c.request.callback() {
            JOIN => self.serve_join(&mut c),
            HANDLE_IN => self.serve_event(&mut c, &self.handle_in),
            HANDLE_INFO => self.serve_event(&mut c, &self.handle_info),
            HANDLE_OUT => self.serve_event(&mut c, &self.handle_out),
            TERMINATE => {
                if let Some(handler) = self.terminate {
                    load(&mut c);
                    let reason = Reason::of(c.request.reason());
                    handler(&mut c, reason);
                }
            }
            CODE_CHANGE => self.serve_code_change(&mut c),
            _ => {}
        }
        c.call
    }
}

impl<S: State> Channel<S> {
    fn serve_join(&self, c: &mut Context<S>) {
        let handler = match self.join {
            Some(handler) => handler,
            None => panic!("aviary: channel {} has no join handler", self.pattern.text),
        };
        load(c);
        for (event, _) in &self.handle_out.named {
            c.intercept(event);
        }
        let intercepted = c.response.borrow().effects();
        let payload = c.request.payload();
        match handler(c, payload) {
            Ok(answer) => answer.write(c.call.response.get_mut()),
            Err(error) => refuse(c, &error),
        }
        if c.call.response.get_mut().result == REPLY {
            commit(c);
        } else {
            c.call.response.get_mut().forget(intercepted); // a refused join has nothing to intercept
        }
    }

    /// Gives the event to its handler.
    fn serve_event(&self, c: &mut Context<S>, among: &Handlers<S>) {
        let handler = match among.find(c.event()) {
            Some(handler) => handler,
            None => return unhandled(c),
        };
        load(c);
        let payload = c.request.payload();
        match handler(c, payload) {
            Ok(answer) => answer.write(c.call.response.get_mut()),
            Err(error) => refuse(c, &error),
        }
        commit(c);
    }

    fn serve_code_change(&self, c: &mut Context<S>) {
        let (version, old) = (c.request.state_version(), c.request.bytes(request::STATE));
        let handler = match self.code_change {
            Some(handler) => handler,
            None => return keep_state(c),
        };
        // What cannot be read is for the handler to see to, by the bytes.
        if !old.is_empty() && c.state.load(old).is_err() {
            c.state = S::default();
        }
        match handler(c, version, old) {
            Ok(()) => {
                let mut new = Vec::new();
                c.state.save(&mut new);
                c.call.response.get_mut().state = Some((new, S::VERSION));
            }
            Err(error) => refuse(c, &error),
        }
    }
}

/// Reads the state. It has to be what the guest has written, so what cannot be read fails the callback.
fn load<S: State>(c: &mut Context<S>) {
    let bytes = c.request.bytes(request::STATE);
    if bytes.is_empty() {
        return;
    }
    if let Err(error) = c.state.load(bytes) {
        panic!("aviary: state of {}: {}", c.topic(), error);
    }
}

/// Gives the state to the host, if it is another one.
fn commit<S: State>(c: &mut Context<S>) {
    let old = c.request.bytes(request::STATE);
    let mut new = Vec::with_capacity(old.len() + 64);
    c.state.save(&mut new);
    if new != old || c.request.state_version() != S::VERSION && !new.is_empty() {
        c.call.response.get_mut().state = Some((new, S::VERSION));
    }
}

/// Answers what no handler was declared for.
fn unhandled(c: &Call) {
    let answer = match c.request.callback() {
        HANDLE_IN => c.reply_error(object().set("reason", "unknown event").set("event", c.event())),
        HANDLE_OUT => c.pass(),
        _ => c.no_reply(),
    };
    answer.write(&mut c.response.borrow_mut());
}

/// Answers the error of a handler. Where nobody waits for an answer it fails the callback.
pub(crate) fn refuse(c: &Call, error: &Error) {
    if matches!(c.request.callback(), HANDLE_INFO | HANDLE_OUT) {
        panic!("{}", error);
    }
    let mut response = c.response.borrow_mut();
    response.set_payload(&object().set("reason", error.text()));
    response.event.clear();
    response.result = REPLY_ERROR;
}

/// Answers code_change by leaving everything as it was.
fn keep_state(c: &Call) {
    let old = c.request.bytes(request::STATE).to_vec();
    c.response.borrow_mut().state = Some((old, c.request.state_version()));
}

/// Answers for a topic that no channel serves: the server's configuration sends the module topics that it does not know,
/// or the version before this one knew them.
pub(crate) fn unmatched(c: &Call) {
    let result = match c.request.callback() {
        JOIN | HANDLE_IN | CODE_CHANGE => return refuse(c, &Error::new("unmatched topic")),
        HANDLE_OUT => PASS,
        _ => NO_REPLY,
    };
    Answer { result, stop: None }.write(&mut c.response.borrow_mut());
}
