//! Something with a domain of its own at a server: [`Service`].

use std::rc::Rc;

use super::Router;
use crate::xmpp::codec::Element;

/// Rooms, uploads, a gateway: it has a domain beside that of the server, and receives what is for it. Registered by
/// [`ServerConfig::service`](super::ServerConfig::service).
///
/// # Examples
///
/// A service that returns each message to its sender:
///
/// ```
/// use sinew_auth::Users;
/// use sinew_chat::xmpp::{
///     codec::{Element, Iq, Message, Stanza, StanzaError},
///     server::{Router, ServerConfig, Service},
/// };
///
/// struct Echo;
///
/// impl Service for Echo {
///     fn stanza_received(&self, router: &Router, stanza: Element) {
///         match Stanza::try_from(stanza) {
///             Ok(Stanza::Message(message)) if message.error().is_none() => {
///                 let (Some(from), Some(to)) = (message.from().cloned(), message.to().cloned()) else { return };
///                 let body = message.body().unwrap_or_default();
///                 router.route(Message::new(message.kind(), from).with_from(to).with_body(body).into());
///             }
///             Ok(Stanza::Iq(iq)) if iq.is_request() => router.refuse(iq.element(), &StanzaError::service_unavailable()),
///             _ => {}
///         }
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let users = Users::new().user("ann", "secret");
/// let config = ServerConfig::new("example.org", users)?.service("echo.example.org", Echo)?;
/// # drop(config);
/// # Ok(())
/// # }
/// ```
pub trait Service: 'static {
    /// A stanza to the service's domain, or to an address at it: a message, presence or an iq of `jabber:client`, with `from` and `to`,
    /// which are addresses. An iq has an id, and its payload if its type needs one; it has to be answered if it is a get or a set.
    /// Presence is directed at the service; when a session ends that had sent some, unavailable presence follows.
    ///
    /// Answers go through the router, at once or later. The server holds no borrow meanwhile, and calls no service while another call is
    /// running. A panic is that of a callback: the stanza is lost, and nothing else.
    fn stanza_received(&self, router: &Router, stanza: Element);

    /// What it is called where the server lists its services (XEP-0030). Asked once, when the server is made. Default: nothing.
    fn name(&self) -> String {
        String::new()
    }
}

impl<S: Service + ?Sized> Service for Rc<S> {
    fn stanza_received(&self, router: &Router, stanza: Element) {
        (**self).stanza_received(router, stanza);
    }

    fn name(&self) -> String {
        (**self).name()
    }
}
