//! What a callback asks and asks for.

use std::cell::RefCell;

use crate::answer::{Answer, JoinAnswer, Reason};
use crate::guest::Host;
use crate::pattern::Pattern;
use crate::payload::{Form, Payload};
use crate::random::Random;
use crate::request::{self, Request};
use crate::response::{Effect, EffectKind, Response, LOCAL, OFF, PASS, REPLY, REPLY_ERROR};
use crate::value::Value;

/// How severe a line of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// For who looks for an error.
    Debug,
    /// What happens.
    Info,
    /// What should not happen.
    Warn,
    /// What must not happen.
    Error,
}

/// How a client is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// By a WebSocket.
    WebSocket,
    /// By long polling.
    LongPoll,
    /// In a way that this version of the SDK does not know.
    Other(u32),
}

/// Where a message to `handle_info` came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InfoKind {
    /// [`Call::send_info`], or the server's API.
    Message,
    /// [`Call::send_after`].
    Timer,
    /// A broadcast on a topic that the channel subscribed to.
    Broadcast,
    /// This is no `handle_info`.
    None,
}

/// Names a client's message, to reply to it in a later callback: see [`Call::message_ref`]. Its text means something to
/// the host only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ref(pub(crate) String);

impl Ref {
    /// Tells whether nobody expects a reply.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What every callback has. The effects take place in the order in which they are asked for, and then the result.
pub struct Call<'a> {
    pub(crate) request: Request<'a>,
    pub(crate) response: RefCell<Response>,
    pub(crate) pattern: Option<Pattern>,
    host: &'a dyn Host,
    random: RefCell<Random>,
}

/// Questions.
impl<'a> Call<'a> {
    pub(crate) fn new(host: &'a dyn Host, request: Request<'a>) -> Self {
        let random = RefCell::new(Random::new(request.seed()));
        Call { request, response: RefCell::default(), pattern: None, host, random }
    }

    /// Returns the name of the client's connection. It is unique over the life of the cluster, and no secret.
    pub fn socket_id(&self) -> &'a str {
        self.request.text(request::SOCKET_ID)
    }

    /// Tells how the client is connected.
    pub fn transport(&self) -> Transport {
        match self.request.transport() {
            1 => Transport::WebSocket,
            2 => Transport::LongPoll,
            other => Transport::Other(other),
        }
    }

    /// Returns the wall clock in milliseconds since 1970.
    pub fn time(&self) -> i64 {
        self.request.time()
    }

    /// Returns 64 random bits, fresh for each callback, that nobody can foresee.
    pub fn random(&self) -> u64 {
        self.random.borrow_mut().next()
    }

    /// Returns 16 random characters, 80 bits: enough to name anything.
    pub fn new_id(&self) -> String {
        const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
        let (mut low, mut high) = (self.random(), self.random());
        let mut id = String::with_capacity(16);
        for i in 0..16 {
            let bits = if i < 8 { &mut low } else { &mut high };
            id.push(char::from(ALPHABET[(*bits & 31) as usize]));
            *bits >>= 5;
        }
        id
    }

    /// Returns the JSON text of one of the plugin's settings, None if there is none of that name; of all of them for the
    /// empty name.
    pub fn config(&self, key: &str) -> Option<String> {
        let all = self.request.json(request::CONFIG);
        if !all.exists() {
            return self.host.config(key);
        }
        if key.is_empty() {
            return Some(text_of(all));
        }
        let members = all.members().ok()?;
        members.into_iter().find(|(name, _)| name == key).map(|(_, value)| text_of(value))
    }

    /// Returns who is present on a topic: the text of the object that presence_state carries, of keys and their metas.
    /// What this callback tracks is not in it yet. See [`Value::json`].
    pub fn presences(&self, topic: &str) -> String {
        self.host.presences(topic)
    }

    /// Returns the channel's topic, "" in connect.
    pub fn topic(&self) -> &'a str {
        self.request.text(request::TOPIC)
    }

    /// Returns what the first star of the channel's pattern stands for: "7" for the topic room:7 of the pattern room:*.
    pub fn topic_id(&self) -> &'a str {
        self.wildcard(0)
    }

    /// Returns what the i-th star of the pattern stands for, from 0.
    pub fn wildcard(&self, i: usize) -> &'a str {
        self.pattern.map_or("", |p| p.wildcard(self.topic(), i))
    }

    /// Returns the event at hand, "" in join and terminate.
    pub fn event(&self) -> &'a str {
        self.request.text(request::EVENT)
    }

    /// Returns the topic that the connect handler gave the socket, if any.
    pub fn id_topic(&self) -> &'a str {
        self.request.text(request::ID_TOPIC)
    }

    /// Returns the name of the client's message, for [`Call::reply_to`].
    pub fn message_ref(&self) -> Ref {
        Ref(self.request.text(request::REF).to_owned())
    }

    /// Returns the client's name for this join of the topic.
    pub fn join_ref(&self) -> &'a str {
        self.request.text(request::JOIN_REF)
    }

    /// Tells, in `handle_info`, where the message came from.
    pub fn info_kind(&self) -> InfoKind {
        match (self.request.callback(), self.request.reason()) {
            (request::HANDLE_INFO, 1) => InfoKind::Message,
            (request::HANDLE_INFO, 2) => InfoKind::Timer,
            (request::HANDLE_INFO, 3) => InfoKind::Broadcast,
            _ => InfoKind::None,
        }
    }

    /// Returns, in `handle_info`, the topic of a broadcast or the key of a timer, and in `terminate` the reason in words.
    pub fn source(&self) -> &'a str {
        self.request.text(request::SOURCE)
    }

    /// Writes a line to the server's log, at once: also when the handler panics afterwards.
    pub fn log(&self, level: Level, line: &str) {
        self.host.log(level, line);
    }
}

fn text_of(v: Value<'_>) -> String {
    String::from_utf8_lossy(v.raw()).into_owned()
}

/// Results.
impl Call<'_> {
    /// Leaves it at the effects. In a `handle_out` handler it drops the broadcast.
    pub fn no_reply(&self) -> Answer {
        Answer::default()
    }

    /// Answers the client's message with status ok. It has a meaning only in handlers of the client's events; elsewhere
    /// use [`Call::reply_to`].
    pub fn reply(&self, p: impl Payload) -> Answer {
        self.answer(REPLY, &p)
    }

    /// Answers the client's message with status error.
    pub fn reply_error(&self, p: impl Payload) -> Answer {
        self.answer(REPLY_ERROR, &p)
    }

    /// Answers the client's message with a status of your own.
    pub fn reply_status(&self, status: &str, p: impl Payload) -> Answer {
        self.response.borrow_mut().event = status.to_owned();
        self.answer(REPLY, &p)
    }

    /// Delivers a broadcast as it is, in a `handle_out` handler.
    pub fn pass(&self) -> Answer {
        self.answer(PASS, &())
    }

    /// Ends the channel for one of the reasons normal, shutdown and error. why is for the log.
    pub fn stop(&self, reason: Reason, why: &str) -> Answer {
        Answer::default().stop(reason, why)
    }

    /// Lets the client join and answers it p. The effects of the join take place after this answer.
    pub fn accept(&self, p: impl Payload) -> JoinAnswer {
        JoinAnswer(self.answer(REPLY, &p))
    }

    /// Does not let the client join and tells it p, by custom an object with a "reason". phoenix.js will try again.
    pub fn refuse(&self, p: impl Payload) -> JoinAnswer {
        JoinAnswer(self.answer(REPLY_ERROR, &p))
    }

    fn answer(&self, result: u8, p: &impl Payload) -> Answer {
        self.response.borrow_mut().set_payload(p);
        Answer { result, stop: None }
    }
}

/// Effects.
impl<'a> Call<'a> {
    fn effect(&self, e: Effect<'_>, p: &impl Payload) {
        self.response.borrow_mut().effect(e, p);
    }

    fn own(&self) -> Target<'_> {
        Target { response: &self.response, topic: "", flags: 0 }
    }

    /// Returns another topic to act on: `c.at("lobby").broadcast("hello", ())`. It panics on the empty topic.
    pub fn at<'b>(&'b self, topic: &'b str) -> Target<'b> {
        if topic.is_empty() {
            panic!("aviary: at with an empty topic");
        }
        Target { response: &self.response, topic, flags: 0 }
    }

    /// Returns the channel's own topic, for broadcasts that stay on this node.
    pub fn local(&self) -> Target<'_> {
        self.own().local()
    }

    /// Sends an event to this channel's client.
    pub fn push(&self, event: &str, p: impl Payload) {
        self.effect(Effect { event, ..Effect::of(EffectKind::Push) }, &p);
    }

    /// Sends an event to all subscribers of the channel's topic, this channel's client included.
    pub fn broadcast(&self, event: &str, p: impl Payload) {
        self.own().broadcast(event, p);
    }

    /// Sends an event to all subscribers of the channel's topic but this channel.
    pub fn broadcast_from(&self, event: &str, p: impl Payload) {
        self.own().broadcast_from(event, p);
    }

    /// Answers an earlier message, whose ref the state has kept. The empty status means ok. To the empty ref nobody
    /// expects an answer: nothing is sent.
    pub fn reply_to(&self, to: &Ref, status: &str, p: impl Payload) {
        if !to.is_empty() {
            self.effect(Effect { event: status, key: &to.0, ..Effect::of(EffectKind::Reply) }, &p);
        }
    }

    /// Sends a message to the channel itself; it comes to `handle_info`.
    pub fn send_info(&self, event: &str, p: impl Payload) {
        self.effect(Effect { event, ..Effect::of(EffectKind::SendInfo) }, &p);
    }

    /// Sends a message to the channel itself after some milliseconds. It replaces the pending one of the same key, if the
    /// key is not empty.
    pub fn send_after(&self, key: &str, delay: i64, event: &str, p: impl Payload) {
        self.effect(Effect { event, key, value: delay, ..Effect::of(EffectKind::SendAfter) }, &p);
    }

    /// Takes back the pending message of that key.
    pub fn cancel(&self, key: &str) {
        self.effect(Effect { key, ..Effect::of(EffectKind::Cancel) }, &());
    }

    /// Makes the broadcasts of another topic come to `handle_info`.
    pub fn subscribe(&self, topic: &str) {
        self.effect(Effect { topic, ..Effect::of(EffectKind::Subscribe) }, &());
    }

    /// Ends [`Call::subscribe`].
    pub fn unsubscribe(&self, topic: &str) {
        self.effect(Effect { topic, ..Effect::of(EffectKind::Unsubscribe) }, &());
    }

    /// Makes the channel present on its topic as key, with a meta for all to see: an object. Tracking a key again updates
    /// its meta.
    pub fn track(&self, key: &str, meta: impl Payload) {
        self.own().track(key, meta);
    }

    /// Changes the meta of a key that the channel tracks.
    pub fn update_presence(&self, key: &str, meta: impl Payload) {
        self.own().update_presence(key, meta);
    }

    /// Ends [`Call::track`]. The end of the channel does so too.
    pub fn untrack(&self, key: &str) {
        self.own().untrack(key);
    }

    /// Pushes the list of who is present to this channel's client, as presence_state. What is tracked before, in the same
    /// callback, is in it.
    pub fn push_presence(&self) {
        self.own().push_presence();
    }

    /// Returns the group of that name. It exists while it has topics.
    pub fn group<'b>(&'b self, name: &'b str) -> Group<'b> {
        Group { response: &self.response, name }
    }

    /// Closes this channel's socket.
    pub fn disconnect(&self) {
        self.disconnect_all("");
    }

    /// Closes all sockets to which connect gave this id topic.
    pub fn disconnect_all(&self, id_topic: &str) {
        self.effect(Effect { key: id_topic, ..Effect::of(EffectKind::Disconnect) }, &());
    }

    /// Writes a line to the log only if the callback succeeds.
    pub fn log_effect(&self, level: Level, line: &str) {
        self.effect(Effect { number: level as u32, ..Effect::of(EffectKind::Log) }, &Text(line));
    }

    /// Makes broadcasts of an event, from now on, go through `handle_out`. Handlers declared by
    /// [`crate::Channel::handle_out`] are intercepted at join without it.
    pub fn intercept(&self, event: &str) {
        self.effect(Effect { event, ..Effect::of(EffectKind::Intercept) }, &());
    }

    /// Ends [`Call::intercept`].
    pub fn stop_intercept(&self, event: &str) {
        self.effect(Effect { event, flags: OFF, ..Effect::of(EffectKind::Intercept) }, &());
    }
}

/// Text that is no JSON: of a line of the log, or a reason in words.
pub(crate) struct Text<'a>(pub(crate) &'a str);

impl Payload for Text<'_> {
    fn write(&self, out: &mut Vec<u8>) -> Form {
        out.extend_from_slice(self.0.as_bytes());
        Form::Json
    }
}

/// A topic to act on: see [`Call::at`] and [`Call::local`].
#[derive(Clone, Copy)]
pub struct Target<'b> {
    response: &'b RefCell<Response>,
    topic: &'b str, // empty: the channel's own
    flags: u16,
}

impl Target<'_> {
    fn effect(&self, e: Effect<'_>, p: &impl Payload) {
        self.response.borrow_mut().effect(Effect { topic: self.topic, ..e }, p);
    }

    /// Keeps broadcasts to the subscribers on this node.
    #[must_use]
    pub fn local(mut self) -> Self {
        self.flags = LOCAL;
        self
    }

    /// Sends an event to all subscribers of the topic.
    pub fn broadcast(&self, event: &str, p: impl Payload) {
        self.effect(Effect { event, flags: self.flags, ..Effect::of(EffectKind::Broadcast) }, &p);
    }

    /// Sends an event to all subscribers of the topic but the channel at hand.
    pub fn broadcast_from(&self, event: &str, p: impl Payload) {
        self.effect(Effect { event, flags: self.flags, ..Effect::of(EffectKind::BroadcastFrom) }, &p);
    }

    /// Sends a message to the channel that a socket has joined the topic with; the empty id means the socket at hand. It
    /// is lost if there is none.
    pub fn send_info(&self, socket_id: &str, event: &str, p: impl Payload) {
        self.effect(Effect { event, key: socket_id, ..Effect::of(EffectKind::SendInfo) }, &p);
    }

    /// Makes the channel present on the topic: see [`Call::track`].
    pub fn track(&self, key: &str, meta: impl Payload) {
        self.effect(Effect { key, ..Effect::of(EffectKind::Track) }, &meta);
    }

    /// Changes the meta of a key that the channel tracks on the topic.
    pub fn update_presence(&self, key: &str, meta: impl Payload) {
        self.effect(Effect { key, ..Effect::of(EffectKind::UpdatePresence) }, &meta);
    }

    /// Ends [`Target::track`].
    pub fn untrack(&self, key: &str) {
        self.effect(Effect { key, ..Effect::of(EffectKind::Untrack) }, &());
    }

    /// Pushes who is present on the topic to this channel's client.
    pub fn push_presence(&self) {
        self.effect(Effect::of(EffectKind::PushPresence), &());
    }
}

/// A named set of topics to broadcast to at once: see [`Call::group`].
#[derive(Clone, Copy)]
pub struct Group<'b> {
    response: &'b RefCell<Response>,
    name: &'b str,
}

impl Group<'_> {
    fn effect(&self, e: Effect<'_>, p: &impl Payload) {
        self.response.borrow_mut().effect(Effect { key: self.name, ..e }, p);
    }

    /// Puts a topic into the group.
    pub fn add(&self, topic: &str) {
        self.effect(Effect { topic, ..Effect::of(EffectKind::GroupAdd) }, &());
    }

    /// Takes a topic out of the group.
    pub fn remove(&self, topic: &str) {
        self.effect(Effect { topic, ..Effect::of(EffectKind::GroupRemove) }, &());
    }

    /// Sends an event to all subscribers of each topic of the group.
    pub fn broadcast(&self, event: &str, p: impl Payload) {
        self.effect(Effect { event, ..Effect::of(EffectKind::GroupBroadcast) }, &p);
    }
}
