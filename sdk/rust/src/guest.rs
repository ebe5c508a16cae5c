//! The guest: what a module declares, and how it answers requests.

use crate::call::{Call, Level};
use crate::channel::{refuse, unmatched, Channel, Route};
use crate::connect::{ConnectContext, ConnectHandler};
use crate::request::{self, Request, CODE_CHANGE, CONNECT, HANDLE_IN};
use crate::response::REPLY;
use crate::state::State;

/// What the host answers while a callback runs.
pub trait Host {
    /// Writes a line to the log.
    fn log(&self, level: Level, line: &str);

    /// Returns the JSON object of who is present on the topic.
    fn presences(&self, topic: &str) -> String;

    /// Returns the JSON text of a setting, None if there is none; of all of them for the empty key.
    fn config(&self, key: &str) -> Option<String>;
}

/// The channels of a module: see [`crate::module`].
#[derive(Default)]
pub struct Guest {
    connect: Option<ConnectHandler>,
    channels: Vec<Box<dyn Route>>,
}

impl Guest {
    /// Returns a guest with nothing declared.
    pub fn new() -> Self {
        Guest::default()
    }

    /// Declares the channel that serves the topics that match the pattern, and returns it for handlers to be added.
    ///
    /// A pattern is a topic; or it ends in a star, which matches any rest, as `room:*` does; or whole segments are stars,
    /// as in `doc:*:page` and `doc:*:*`, each of which matches any one segment. The first declared pattern that matches a
    /// topic wins.
    pub fn channel<S: State + 'static>(&mut self, pattern: &'static str, declare: fn(&mut Channel<S>)) -> &mut Self {
        let mut channel = Channel::new(pattern);
        declare(&mut channel);
        if !channel.has(request::JOIN) {
            panic!("aviary: channel {} has no join handler", pattern);
        }
        self.channels.push(Box::new(channel));
        self
    }

    /// Declares the handler of new connections. Without one every client is accepted.
    pub fn connect(&mut self, handler: ConnectHandler) -> &mut Self {
        if self.connect.replace(handler).is_some() {
            panic!("aviary: connect twice");
        }
        self
    }

    /// Returns the marker: which callbacks to spare the host (SPEC.md, 2.1). It panics where nothing is declared.
    pub fn marker(&self) -> u64 {
        if self.channels.is_empty() {
            panic!("aviary: no channel is declared");
        }
        let mut absent = 0;
        if self.connect.is_none() {
            absent |= 1 << CONNECT;
        }
        for callback in HANDLE_IN..=CODE_CHANGE {
            if !self.channels.iter().any(|c| c.has(callback)) {
                absent |= 1 << callback;
            }
        }
        absent << 32
    }

    /// Runs one callback: answers an encoded request with an encoded response. It panics as handlers do.
    pub fn serve(&self, host: &dyn Host, block: &[u8]) -> Vec<u8> {
        let call = Call::new(host, Request::new(block));
        let call = match call.request.callback() {
            CONNECT => self.serve_connect(call),
            _ => self.serve_channel(call),
        };
        let response = call.response.borrow();
        response.encode()
    }

    fn serve_connect<'a>(&self, call: Call<'a>) -> Call<'a> {
        let c = ConnectContext(call);
        match self.connect {
            None => c.0.response.borrow_mut().result = REPLY,
            Some(handler) => match handler(&c, c.request.json(request::PARAMS)) {
                Ok(answer) => answer.write(&mut c.0.response.borrow_mut()),
                Err(error) => refuse(&c, &error),
            },
        }
        c.0
    }

    fn serve_channel<'a>(&self, call: Call<'a>) -> Call<'a> {
        let topic = call.topic();
        match self.channels.iter().find(|c| c.pattern().matches(topic)) {
            Some(channel) => channel.serve(call),
            None => {
                unmatched(&call);
                call
            }
        }
    }
}
