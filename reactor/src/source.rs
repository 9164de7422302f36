//! Sources of events of one's own: what a transport is made of.
//!
//! A server or a client needs nothing of this: connections, timers and futures are all made of it. It is for whoever brings
//! something else to the loop: a device, a socket of another family, a library with a descriptor of its own.
//!
//! # A handler
//!
//! A source is registered together with a [`Handler`], which the loop calls. It is shared (`Rc<dyn Handler>`), so what changes in
//! it sits in `Cell`s and in `RefCell`s that are borrowed for a few lines. This one prints what comes through a pipe:
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
//!         // Readiness is told once on the default engine: go on until there is nothing left.
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
//!     /// The end, told when no callback is under way. The registry holds the last handle: with it, the pipe is closed.
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
//! - **Registered once**, for both directions, by [`register`], or by [`register_source`] and [`bind`] for a handler that owns its
//!   source and knows its [`Token`]. A token carries a generation: one that is out of date names nobody.
//! - **Readiness is a hint** that a system call is worth trying, told once for each change on the default engine. Go on until
//!   the call says `WouldBlock`; or stop early, so that others have their turn, and ask for [`reschedule`]. Read before you write.
//!   Level-triggered engines want to know what is wanted from now on: [`set_interest`], which is free on the others.
//! - **Only the loop calls.** A call that users make of your transport takes a note and asks the loop: [`flush_later`] to send
//!   what was queued from elsewhere, [`finalize_later`] to tell an end, [`arm_timer`] for a time, which costs no allocation. What
//!   users hand over is dropped by [`defer_drop`], for a drop may run their code.
//! - **Faults are contained.** The loop guards the methods of a handler; one that calls several objects of users puts [`guard`]
//!   around each. A handler that panics is told ([`Handler::panicked`]) and, by default, deregistered.
//! - **The end of a run** is told by [`Handler::shutdown`]. What has an end to tell asks for `finalize_later` there; handlers that are
//!   left are dropped.
//! - **Engines that receive and accept by themselves** are told to by [`set_delivery_mode`]. If it answers `true`, what has come is taken
//!   by [`take_completion`], after the same `ready`.
//!
//! State that all handlers of a kind share lies in the reactor itself ([`local`]); what they count, in its [`Meter`]. What a whole
//! simulation needs, which turns several reactors by one time, is a [`Driver`].
//!
//! `examples/custom_handler.rs` is a whole program, and `transports/src/pipe/` the smallest real transport.
//!
//! [`register`]: crate::Reactor::register
//! [`register_source`]: crate::Reactor::register_source
//! [`bind`]: crate::Reactor::bind
//! [`reschedule`]: crate::Reactor::reschedule
//! [`set_interest`]: crate::Reactor::set_interest
//! [`flush_later`]: crate::Reactor::flush_later
//! [`finalize_later`]: crate::Reactor::finalize_later
//! [`arm_timer`]: crate::Reactor::arm_timer
//! [`defer_drop`]: crate::Reactor::discard
//! [`guard`]: crate::Reactor::guard
//! [`set_delivery_mode`]: crate::Reactor::set_delivery_mode
//! [`take_completion`]: crate::Reactor::take_completion
//! [`local`]: crate::Reactor::local

pub use crate::{
    engine::{Completion, DeliveryMode, ReceivedBytes, SHORT_WRITE_FILLS},
    handler::{Handler, Interest, Ready, TimerKey, Token},
    registration::{Registration, Source},
    simulated::{Driver, Killed, Turned},
    stats::{Counter, Meter},
};
