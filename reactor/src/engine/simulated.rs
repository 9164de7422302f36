//! The engine of simulated reactors, and of those that have no other any more: there is no kernel, so nothing is registered
//! and nothing is waited for.

use std::{io, sync::Arc, time::Duration};

use super::{Descriptor, DescriptorId, Event, Notify, Poller};
use crate::{
    error::RegisterError,
    handler::{Interest, Token},
};

pub(crate) struct NoKernel;

impl Poller for NoKernel {
    fn is_edge_triggered(&self) -> bool {
        true
    }

    fn register(&mut self, _: Descriptor<'_>, _: Token, _: Interest) -> Result<(), RegisterError> {
        let message = "a simulated reactor has no kernel to watch a descriptor";
        Err(io::Error::new(io::ErrorKind::Unsupported, message).into())
    }

    fn set_interest(&mut self, _: DescriptorId, _: Token, _: Interest) {}

    fn deregister(&mut self, _: DescriptorId, _: Token, _: bool) -> io::Result<()> {
        Ok(())
    }

    /// Returns at once: it is the reactor that moves the clock on.
    fn wait(&mut self, _: Option<Duration>, _: &mut Vec<Event>) -> io::Result<()> {
        Ok(())
    }

    fn call(&self) -> &'static str {
        "nothing"
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        Arc::new(NobodySleeps)
    }
}

struct NobodySleeps;

impl Notify for NobodySleeps {
    fn notify(&self) -> io::Result<()> {
        Ok(())
    }
}
