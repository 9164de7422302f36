//! The trait of services, in the place of that of the crate `application`.

use std::cell::RefCell;

use sinew::{
    reactor::{Deferred, Reactor},
    transports::{Address, ListeningPort},
};

use super::StartError;

/// Something that starts and stops.
pub(crate) trait Service: 'static {
    /// Opens what needs privileges: sockets.
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError>;
    /// Starts. The privileges are gone.
    fn start(&self, reactor: &Reactor) -> Result<(), StartError>;
    /// Stops.
    fn stop(&self, reactor: &Reactor) -> Deferred<()>;
}

type Listen = Box<dyn Fn(&Reactor) -> Result<ListeningPort<Address>, StartError>>;

/// Listens on some endpoints.
pub(crate) struct Ports {
    pub(crate) listen: Vec<Listen>,
    pub(crate) open: RefCell<Vec<ListeningPort<Address>>>,
}

impl Service for Ports {
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError> {
        for listen in &self.listen {
            let port = listen(reactor)?;
            tracing::info!("listening on {}", port.local());
            self.open.borrow_mut().push(port);
        }
        Ok(())
    }

    fn start(&self, _reactor: &Reactor) -> Result<(), StartError> {
        Ok(())
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<()> {
        self.open.take().iter().for_each(ListeningPort::stop_listening);
        let (promise, stopped) = reactor.promise();
        promise.resolve(());
        stopped
    }
}
