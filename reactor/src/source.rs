//! Custom event sources: what a transport is built from.
//!
//! Servers and clients need nothing of this; connections, timers and futures are built on it. It is for authors who
//! attach something else to the loop: a device, a socket of another family, a library with a descriptor of its own.
//!
//! # A handler
//!
//! A source is registered together with a [`Handler`], which the loop calls. The handler is shared (`Rc<dyn Handler>`),
//! so its mutable state sits in `Cell`s and in `RefCell`s that are borrowed for a few lines. This one prints what it
//! reads from a pipe:
//!
//! ```
//! # #[cfg(unix)]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::{cell::RefCell, io::{self, PipeReader, Read, Write}, rc::Rc};
//! use rustix::io::ioctl_fionbio;
//! use sinew_reactor::{Reactor, source::{Handler, Interest, Ready, Token}};
//!
//! struct Printer {
//!     pipe: RefCell<PipeReader>,
//!     token: Token,
//! }
//!
//! impl Handler for Printer {
//!     fn ready(self: Rc<Self>, reactor: &Reactor, _: Ready) {
//!         let mut buffer = [0; 4096];
//!         // The default engine is edge-triggered: read until `WouldBlock`.
//!         loop {
//!             let read = self.pipe.borrow_mut().read(&mut buffer);
//!             match read {
//!                 Ok(0) => return reactor.finalize_later(self.token),
//!                 Ok(len) => println!("{}", buffer[..len].escape_ascii()),
//!                 Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
//!                 Err(error) => {
//!                     println!("{error}");
//!                     return reactor.finalize_later(self.token);
//!                 }
//!             }
//!         }
//!     }
//!
//!     /// Called when no callback is running. The registry holds the last handle: with it, the pipe is closed.
//!     fn finalize(self: Rc<Self>, reactor: &Reactor) {
//!         reactor.deregister(self.token, true);
//!         let _ = reactor.stop();
//!     }
//! }
//!
//! let (mut reader, mut writer) = io::pipe()?;
//! ioctl_fionbio(&reader, true)?;
//! let reactor = Reactor::new()?;
//! let token = reactor.register_source(&mut reader, Interest::READ)?;
//! reactor.bind(token, Rc::new(Printer { pipe: RefCell::new(reader), token }));
//! writer.write_all(b"hello")?;
//! drop(writer);
//! reactor.run()?;
//! # Ok(())
//! # }
//! # #[cfg(not(unix))]
//! # fn main() {}
//! ```
//!
//! # The contract
//!
//! - **Registered once**, for both directions, by [`register`], or by [`register_source`] and [`bind`] for a handler
//!   that owns its source and knows its [`Token`]. A token carries a generation: a stale token matches no handler.
//! - **Readiness is a hint** that a system call is worth trying. The default engine is edge-triggered and reports each
//!   change once: continue until the call returns `WouldBlock`, or stop early, so that others get their turn, and call
//!   [`reschedule`]. Read before you write. Level-triggered engines must know the current interest: call
//!   [`set_interest`], which costs nothing on the others.
//! - **Only the loop runs callbacks.** A method that users call on your transport only records the request and asks the
//!   loop to act: [`flush_later`] to send data that was queued outside of a callback, [`finalize_later`] to report the
//!   end, [`arm_timer`] for a timer, which allocates nothing. Drop what users handed over by [`defer_drop`], since a
//!   drop may run their code.
//! - **Panics are caught.** The loop guards the methods of a handler. A handler that calls several objects of users
//!   puts [`guard`] around each call. After a panic the loop calls [`Handler::panicked`] and, by default, deregisters
//!   the handler.
//! - **At the end of a run** the loop calls [`Handler::shutdown`]. A handler that must notify its user calls
//!   `finalize_later` there; handlers that are left are dropped.
//! - **Completion engines** receive and accept by themselves once [`set_delivery_mode`] has returned `true`. After
//!   `ready`, collect the result with [`take_completion`].
//!
//! State that all handlers of a kind share is kept in the reactor ([`local`]); their counters are in its [`Meter`]. A
//! [`Driver`] runs several simulated reactors on one virtual clock.
//!
//! `examples/custom_handler.rs` is a complete program; `transports/src/pipe/` is the smallest real transport.
//!
//! [`register`]: crate::Reactor::register
//! [`register_source`]: crate::Reactor::register_source
//! [`bind`]: crate::Reactor::bind
//! [`reschedule`]: crate::Reactor::reschedule
//! [`set_interest`]: crate::Reactor::set_interest
//! [`flush_later`]: crate::Reactor::flush_later
//! [`finalize_later`]: crate::Reactor::finalize_later
//! [`arm_timer`]: crate::Reactor::arm_timer
//! [`defer_drop`]: crate::Reactor::defer_drop
//! [`guard`]: crate::Reactor::guard
//! [`set_delivery_mode`]: crate::Reactor::set_delivery_mode
//! [`take_completion`]: crate::Reactor::take_completion
//! [`local`]: crate::Reactor::local

pub use crate::{
    engine::{Completion, DeliveryMode, ReceivedBytes, SHORT_WRITE_FILLS},
    handler::{Handler, Interest, Ready, TimerKey, Token},
    inspection::HandlerCounts,
    registration::{Registration, Source},
    simulated::{Driver, Killed, Turned},
    stats::{Counter, Meter},
};
