//! What handlers decide.

use crate::call::Text;
use crate::response::{Effect, EffectKind, Response, REPLY, REPLY_ERROR, STOP};

/// Why a channel ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The guest stopped it; the client is told `phx_close`.
    Normal,
    /// As normal.
    Shutdown,
    /// The guest stopped it, or failed; the client is told `phx_error`, upon which it joins again.
    Error,
    /// The client left.
    Left,
    /// The connection ended.
    Closed,
    /// Nothing came from the client for too long.
    HeartbeatTimeout,
    /// The client joined the topic again.
    DuplicateJoin,
    /// The server shuts down.
    Draining,
    /// The socket was told to disconnect.
    Disconnected,
    /// One that this version of the SDK does not know.
    Other(u32),
}

impl Reason {
    pub(crate) fn of(number: u32) -> Self {
        match number {
            1 => Reason::Normal,
            2 => Reason::Shutdown,
            3 => Reason::Error,
            4 => Reason::Left,
            5 => Reason::Closed,
            6 => Reason::HeartbeatTimeout,
            7 => Reason::DuplicateJoin,
            8 => Reason::Draining,
            9 => Reason::Disconnected,
            other => Reason::Other(other),
        }
    }

    /// Returns the number of a reason that a guest may give.
    fn given(self) -> u32 {
        match self {
            Reason::Normal => 1,
            Reason::Shutdown => 2,
            Reason::Error => 3,
            other => panic!("aviary: stop for the reason {:?}: a guest may give Normal, Shutdown and Error", other),
        }
    }
}

/// What a handler decided: see [`crate::Call::reply`] and its like. It takes place after all effects of the callback.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct Answer {
    pub(crate) result: u8,
    pub(crate) stop: Option<(u32, String)>,
}

impl Answer {
    /// Adds that the channel ends after it: `c.reply(p).stop(Reason::Normal, "")`. why is for the log.
    pub fn stop(mut self, reason: Reason, why: &str) -> Self {
        self.stop = Some((reason.given(), why.to_owned()));
        self
    }

    pub(crate) fn write(self, to: &mut Response) {
        to.result = self.result;
        let (number, why) = match self.stop {
            Some(stop) => stop,
            None => return,
        };
        if self.result == REPLY || self.result == REPLY_ERROR {
            let status = std::mem::take(&mut to.event);
            to.reply_first(if self.result == REPLY_ERROR { "error" } else { &status });
        }
        to.result = STOP;
        to.number = number;
        to.text = why;
    }
}

/// What a join handler decided: see [`crate::Call::accept`] and [`crate::Call::refuse`].
#[derive(Clone, Debug)]
#[must_use]
pub struct JoinAnswer(pub(crate) Answer);

/// What a join handler answers with.
pub type JoinResult = crate::Result<JoinAnswer>;

impl JoinAnswer {
    /// Adds to an accepted join that the channel ends right after its effects.
    pub fn stop(self, reason: Reason, why: &str) -> Self {
        JoinAnswer(self.0.stop(reason, why))
    }

    pub(crate) fn write(self, to: &mut Response) {
        to.result = self.0.result;
        if let Some((number, why)) = self.0.stop {
            to.effect(Effect { number, ..Effect::of(EffectKind::Stop) }, &Text(&why));
        }
    }
}
