//! New connections.

use std::ops::Deref;

use crate::call::Call;
use crate::error::Result;
use crate::payload::Payload;
use crate::request;
use crate::response::{Response, REPLY, REPLY_ERROR};
use crate::value::Value;

/// What a connect handler works with. There is no channel yet, so of the effects of [`Call`] only those are to be had that
/// need none; the host refuses the others.
pub struct ConnectContext<'a>(pub(crate) Call<'a>);

impl<'a> Deref for ConnectContext<'a> {
    type Target = Call<'a>;

    fn deref(&self) -> &Call<'a> {
        &self.0
    }
}

/// Decides whether a client may connect. The value holds the query parameters of its request: an object of strings, and
/// of objects and arrays of them.
pub type ConnectHandler = fn(&ConnectContext, Value) -> ConnectResult;

/// What a connect handler answers with.
pub type ConnectResult = Result<ConnectAnswer>;

impl<'a> ConnectContext<'a> {
    /// Returns all headers of the client's request that the server's configuration lets the guest see.
    pub fn headers(&self) -> Value<'a> {
        self.0.request.json(request::HEADERS)
    }

    /// Lets the client connect.
    pub fn accept(&self) -> ConnectAnswer {
        ConnectAnswer { result: REPLY, ..ConnectAnswer::default() }
    }

    /// Does not let the client connect: it gets the HTTP status, 400 to 599 or 0 for 403, and the body.
    pub fn refuse(&self, status: u32, body: impl Payload) -> ConnectAnswer {
        self.0.response.borrow_mut().set_payload(&body);
        ConnectAnswer { result: REPLY_ERROR, status, ..ConnectAnswer::default() }
    }
}

/// What a connect handler decided: see [`ConnectContext::accept`] and [`ConnectContext::refuse`].
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct ConnectAnswer {
    result: u8,
    status: u32,
    id_topic: String,
    seed: Option<Vec<u8>>,
}

impl ConnectAnswer {
    /// Gives the socket a topic of its own, by which it can be disconnected: [`Call::disconnect_all`].
    pub fn id(mut self, topic: &str) -> Self {
        self.id_topic = topic.to_owned();
        self
    }

    /// Sets the state that each join of the socket begins with. It must be what the state of the channel reads: an
    /// object of its fields.
    pub fn seed(mut self, state: impl Payload) -> Self {
        let mut bytes = Vec::new();
        state.write(&mut bytes);
        self.seed = Some(bytes);
        self
    }

    pub(crate) fn write(self, to: &mut Response) {
        to.result = self.result;
        to.number = self.status;
        to.id_topic = self.id_topic;
        to.state = self.seed.map(|bytes| (bytes, 0));
    }
}
