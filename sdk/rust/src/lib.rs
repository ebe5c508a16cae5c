//! The Rust SDK for Aviary guests: modules of channel logic that an Aviary server runs for clients speaking the Phoenix
//! Channels protocol.
//!
//! ```
//! use aviary::{object, Context, JoinResult, Result, Value};
//!
//! #[derive(Default)]
//! struct Member { name: String } // what the channel remembers
//!
//! impl aviary::State for Member {
//!     fn fields(&mut self, f: &mut aviary::Fields) {
//!         f.field("name", &mut self.name);
//!     }
//! }
//!
//! aviary::module!(|guest| {
//!     guest.channel::<Member>("room:*", |room| {
//!         room.join(join).on("new_msg", new_msg);
//!     });
//! });
//!
//! fn join(c: &mut Context<Member>, p: Value) -> JoinResult {
//!     c.state.name = p.get("name")?.string()?;
//!     Ok(c.accept(()))
//! }
//!
//! fn new_msg(c: &mut Context<Member>, p: Value) -> Result {
//!     c.broadcast("new_msg", object().set("name", &c.state.name).set("text", p.get("text")?));
//!     Ok(c.reply(()))
//! }
//! # fn main() {}
//! ```
//!
//! A handler reads its request through the context, asks for effects by the context's methods, and returns a result. The
//! host carries out the effects in the order in which they were asked for, and then the result; if the handler panics, it
//! carries out none of them. ABI: abi/SPEC.md of Aviary.
//!
//! # Memory
//!
//! The host may put a guest's memory back to what it was after initialisation at any time between two callbacks, and
//! consecutive callbacks of one channel may run in different copies of the module. Nothing in a static survives; what has
//! to last goes into the [`State`]. A guest allocates from an arena, which is as good as new once all that a callback
//! made is dropped: see `arena.rs`.
//!
//! # Cost
//!
//! No crate but std: a module has some 85 KB, and grows by what it uses of std.
#![deny(missing_docs)]
#![cfg_attr(not(target_arch = "wasm32"), deny(unsafe_code))]

mod answer;
#[cfg(target_arch = "wasm32")]
mod arena;
mod call;
mod channel;
mod connect;
mod error;
mod guest;
mod number;
mod pattern;
mod payload;
mod random;
mod request;
mod response;
mod scan;
mod state;
mod unquote;
mod value;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod wasm;

pub use answer::{Answer, JoinAnswer, JoinResult, Reason};
pub use call::{Call, Group, InfoKind, Level, Ref, Target, Transport};
pub use channel::{Channel, CodeChangeHandler, Context, Handler, JoinHandler, TerminateHandler};
pub use connect::{ConnectAnswer, ConnectContext, ConnectHandler, ConnectResult};
pub use error::{Error, Result};
pub use guest::{Guest, Host};
pub use payload::{array, object, Array, Form, Object, Payload};
pub use state::{Field, Fields, State};
pub use value::{Kind, Value, DEPTH};

/// Makes a module of a function that declares its channels: `module!(|guest| { ... })`. It stands once in a crate. For
/// tests there is the function `guest()`, which returns the [`Guest`] so declared.
#[macro_export]
macro_rules! module {
    (|$guest:ident| $declare:block) => {
        /// Returns the guest with its channels declared.
        pub fn guest() -> $crate::Guest {
            let mut made = $crate::Guest::new();
            let $guest = &mut made;
            $declare
            made
        }

        #[cfg(target_arch = "wasm32")]
        $crate::exports!(guest);
    };
}
