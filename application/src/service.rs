//! What a program consists of: the trait [`Service`]. Declarations only.

use std::rc::Rc;

use sinew_reactor::{Deferred, Reactor};

mod error;

pub use error::{StartError, StopError};

/// A part of a program that starts and stops: a server, a client, a timer, a child process, or several of them together
/// ([`MultiService`](crate::MultiService)).
///
/// # Contract
///
/// [`Application`](crate::Application) and [`MultiService`](crate::MultiService) call the methods from the event loop, or before it
/// runs, in this order:
///
/// 1. [`privileged_start`](Self::privileged_start), once.
/// 2. [`start`](Self::start), once, if that has succeeded.
/// 3. [`stop`](Self::stop), once, whatever the two have returned: it undoes what they have done.
///
/// When the result of `stop` is there, the service may be started again. A panic in a method counts as its failure.
///
/// A service is usually a handle that is cheap to clone, so that the program can keep one and give another away.
///
/// # Examples
///
/// ```
/// use sinew_application::{Service, StartError, StopError};
/// use sinew_reactor::{Deferred, Reactor};
///
/// /// Writes a line when the program starts and another when it stops.
/// struct Greeting;
///
/// impl Service for Greeting {
///     fn start(&self, _: &Reactor) -> Result<(), StartError> {
///         println!("hello");
///         Ok(())
///     }
///
///     fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
///         println!("goodbye");
///         Deferred::ready_on(reactor, ())
///     }
/// }
/// # drop(Greeting);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a service",
    label = "not a `Service`",
    note = "implement `Service` for a type; `start` and `stop` must be written"
)]
pub trait Service: 'static {
    /// Does what needs privileges, such as opening ports below 1024. The program gives its privileges up after all services have
    /// done this, and before the first of them starts.
    ///
    /// # Errors
    ///
    /// [`StartError`], with the cause. Then the program does not start.
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError> {
        let _ = reactor;
        Ok(())
    }

    /// Starts the work.
    ///
    /// # Errors
    ///
    /// [`StartError`], with the cause. Then the program does not start.
    fn start(&self, reactor: &Reactor) -> Result<(), StartError>;

    /// Stops the work, and resolves when nothing of it is left.
    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError>;
}

impl<S: Service + ?Sized> Service for Rc<S> {
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError> {
        (**self).privileged_start(reactor)
    }

    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        (**self).start(reactor)
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        (**self).stop(reactor)
    }
}

impl<S: Service + ?Sized> Service for Box<S> {
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError> {
        (**self).privileged_start(reactor)
    }

    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        (**self).start(reactor)
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        (**self).stop(reactor)
    }
}
