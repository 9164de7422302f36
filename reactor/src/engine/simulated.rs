//! The engine of simulated reactors, also the placeholder for an engine that was dropped. There is no kernel, so nothing is
//! registered and no wait blocks.

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
        let message = "a simulated reactor has no kernel that could watch a descriptor";
        Err(io::Error::new(io::ErrorKind::Unsupported, message).into())
    }

    fn set_interest(&mut self, _: DescriptorId, _: Token, _: Interest) {}

    fn deregister(&mut self, _: DescriptorId, _: Token, _: bool) -> io::Result<()> {
        Ok(())
    }

    /// Returns at once: the reactor advances the clock itself.
    fn wait(&mut self, _: Option<Duration>, _: &mut Vec<Event>) -> io::Result<()> {
        Ok(())
    }

    fn call(&self) -> &'static str {
        "nothing"
    }

    fn notifier(&self) -> Arc<dyn Notify> {
        Arc::new(NoNotify)
    }
}

struct NoNotify;

impl Notify for NoNotify {
    fn notify(&self) -> io::Result<()> {
        Ok(())
    }
}
