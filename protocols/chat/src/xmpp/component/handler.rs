//! What users write: [`ComponentHandler`]. Declarations only.

use sinew_transports::ConnectionLost;

use super::{ComponentError, IqRequest, XmppComponent};
use crate::xmpp::codec::{Message, Presence, StanzaError};

/// What happens at a component. All methods do nothing by default. Only the loop calls them; they may call everything of the component,
/// which is given to each.
///
/// Each stanza has a sender, and a recipient in the domain of the component.
///
/// # Examples
///
/// ```
/// use sinew_chat::xmpp::{
///     codec::{Jid, Message},
///     component::{ComponentHandler, XmppComponent},
/// };
///
/// /// Says what was said to it, from the address that it was said to.
/// struct Echo;
///
/// impl ComponentHandler for Echo {
///     fn message_received(&mut self, xmpp: &XmppComponent, message: &Message) {
///         let (from, to) = (message.from().cloned(), message.to().cloned());
///         if let (Some(from), Some(to), Some(body)) = (from, to, message.body()) {
///             let answer = Message::new(message.kind(), from).with_from(to).with_body(body);
///             if let Err(error) = xmpp.send(answer) {
///                 eprintln!("{error}");
///             }
///         }
///     }
/// }
/// ```
#[allow(unused_variables, reason = "the names document the arguments")]
pub trait ComponentHandler: 'static {
    /// The server has accepted the component. It has nothing of what it was told through an earlier connection.
    fn online(&mut self, xmpp: &XmppComponent) {}

    /// A connection has ended before the server has accepted the component.
    fn handshake_failed(&mut self, xmpp: &XmppComponent, error: &ComponentError) {}

    /// The connection has ended, after the component was online.
    fn connection_lost(&mut self, xmpp: &XmppComponent, reason: &ConnectionLost) {}

    /// A message to an address of the component.
    fn message_received(&mut self, xmpp: &XmppComponent, message: &Message) {}

    /// A message of the component was not delivered. Such a message is never to be answered.
    fn message_failed(&mut self, xmpp: &XmppComponent, message: &Message, error: &StanzaError) {}

    /// Presence to an address of the component, subscriptions, probes and errors included.
    fn presence_received(&mut self, xmpp: &XmppComponent, presence: &Presence) {}

    /// A question that the component does not answer itself. One that is dropped without an answer is answered: nobody here knows.
    fn iq_received(&mut self, xmpp: &XmppComponent, request: IqRequest) {}
}
