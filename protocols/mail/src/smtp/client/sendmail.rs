//! One message in one call: [`sendmail`].

use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;
use sinew_transports::{
    Destination,
    reactor::{Deferred, Reactor, Task},
};

use super::{ClientConfig, Delivery, Envelope, SmtpClient, SmtpError};

/// Connects to a server, sends a message, and disconnects.
///
/// STARTTLS is required, unless the [configuration](ClientConfig::security) says otherwise; the certificate must be that of the host in
/// `to`. Dropping the deferred gives up.
///
/// # Errors
///
/// [`SmtpError`], by the deferred. What the server refuses is in the [`Delivery`]; with [`Delivery::complete`], it is an error, too.
///
/// # Examples
///
/// ```no_run
/// use sinew_mail::smtp::client::{ClientConfig, Envelope, sendmail};
/// use sinew_transports::reactor::Reactor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let reactor = Reactor::new()?;
/// let envelope = Envelope::new(Some("ann@example.net".parse()?), ["bob@example.org".parse()?]);
/// let message = "From: ann@example.net\nTo: bob@example.org\nSubject: hello\n\nHello, Bob.\n";
/// let config = ClientConfig::new("client.example.net")?;
/// let delivery = reactor.run_until(sendmail(&reactor, "mail.example.org:587", config, envelope, message))??;
/// delivery.complete()?;
/// # Ok(())
/// # }
/// ```
pub fn sendmail(
    reactor: &Reactor,
    to: impl Into<Destination>,
    config: ClientConfig,
    envelope: Envelope,
    message: impl Into<Bytes>,
) -> Deferred<Delivery, SmtpError> {
    let (to, message) = (to.into(), message.into());
    let of_task = reactor.clone();
    run(reactor, async move {
        let mut client = SmtpClient::connect(&of_task, to, config).await?;
        let delivery = client.send(&envelope, message).await?;
        client.quit().await;
        Ok(delivery)
    })
}

/// Runs a future as a task, which ends when its deferred is dropped.
pub(super) fn run<T: 'static>(
    reactor: &Reactor,
    future: impl Future<Output = Result<T, SmtpError>> + 'static,
) -> Deferred<T, SmtpError> {
    let (promise, deferred) = reactor.promise();
    let place = Rc::<RefCell<Option<Task<()>>>>::default();
    let running = Rc::clone(&place);
    promise.on_cancel(move |_| drop(running.take()));
    let task = reactor.spawn(async move { promise.settle(future.await) });
    place.replace(Some(task));
    deferred
}
