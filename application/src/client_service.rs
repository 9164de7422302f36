//! [`ClientService`] as a [`Service`]. The client itself is in `sinew-transports`.

use sinew_reactor::{Deferred, Reactor};
use sinew_transports::{ClientService, Protocol};

use crate::{Service, StartError, StopError};

/// The start does not wait for a connection; use [`ClientService::when_connected`] for that.
impl<P: Protocol> Service for ClientService<P> {
    fn start(&self, _: &Reactor) -> Result<(), StartError> {
        match Self::start(self) {
            true => Ok(()),
            false => Err(StartError::AlreadyStarted),
        }
    }

    fn stop(&self, _: &Reactor) -> Deferred<(), StopError> {
        Self::stop(self).map(|result| result.map_err(StopError::from))
    }
}
