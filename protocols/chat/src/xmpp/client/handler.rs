//! What users write: [`XmppHandler`]. Declarations only.

use sinew_transports::ConnectionLost;

use super::{Contact, IqRequest, XmppClient, XmppError};
use crate::xmpp::codec::{Element, Jid, Message, Presence, StanzaError};

/// What happens on XMPP. All methods do nothing by default. Only the loop calls them; they may call everything of the client, which is
/// given to each.
///
/// # Examples
///
/// ```
/// use sinew_chat::xmpp::{
///     client::{XmppClient, XmppHandler},
///     codec::Message,
/// };
///
/// /// Says what was said to it.
/// struct Echo;
///
/// impl XmppHandler for Echo {
///     fn message_received(&mut self, xmpp: &XmppClient, message: &Message) {
///         let answer = message.body().and_then(|body| message.reply(body));
///         if let Some(Err(error)) = answer.map(|answer| xmpp.send_message(answer)) {
///             eprintln!("{error}");
///         }
///     }
/// }
/// ```
#[allow(unused_variables, reason = "the names document the arguments")]
pub trait XmppHandler: 'static {
    /// The client is online: in a new session, or in the one before, which goes on as if the connection had never been lost. In a new
    /// one the roster has been asked for, presence was sent, and the rooms are being joined again.
    fn online(&mut self, xmpp: &XmppClient, is_resumed: bool) {}

    /// A connection has ended before the client was online. One that is [kept](XmppClient::keep_connected) is tried again, with a wrong
    /// password as well.
    fn login_failed(&mut self, xmpp: &XmppClient, error: &XmppError) {}

    /// The connection has ended, after the client was online. The session may be resumed.
    fn connection_lost(&mut self, xmpp: &XmppClient, reason: &ConnectionLost) {}

    /// The session before was not resumed, and nobody knows whether the server has accepted these stanzas. Or they have waited, and the
    /// server does not take stanzas as long as these.
    fn undelivered(&mut self, xmpp: &XmppClient, stanzas: Vec<Element>) {}

    /// A message of somebody, not in a room.
    fn message_received(&mut self, xmpp: &XmppClient, message: &Message) {}

    /// A message in a room, also of the client itself ([`XmppClient::is_own`]), and those of its history, which a room sends when it
    /// is entered ([`Message::is_delayed`]): a bot that answers leaves both out.
    fn room_message(&mut self, xmpp: &XmppClient, message: &Message) {}

    /// A message was not delivered. Such a message is never to be answered.
    fn message_failed(&mut self, xmpp: &XmppClient, message: &Message, error: &StanzaError) {}

    /// A message that another client of the account has sent or received (XEP-0280).
    fn carbon_received(&mut self, xmpp: &XmppClient, message: &Message, is_sent: bool) {}

    /// Somebody has received the message of this id (XEP-0184).
    fn receipt_received(&mut self, xmpp: &XmppClient, from: &Jid, id: &str) {}

    /// Presence of somebody, in rooms as well, other than subscriptions.
    fn presence_received(&mut self, xmpp: &XmppClient, presence: &Presence) {}

    /// Somebody wants to see the presence of the account: [`XmppClient::accept`] or [`XmppClient::refuse`].
    fn subscription_requested(&mut self, xmpp: &XmppClient, from: &Jid, presence: &Presence) {}

    /// Somebody has changed a subscription: `subscribed`, `unsubscribe` or `unsubscribed`.
    fn subscription_changed(&mut self, xmpp: &XmppClient, presence: &Presence) {}

    /// The roster is there: [`XmppClient::roster`].
    fn roster_received(&mut self, xmpp: &XmppClient) {}

    /// A contact was added or changed; `None` if it was removed.
    fn contact_changed(&mut self, xmpp: &XmppClient, jid: &Jid, contact: Option<&Contact>) {}

    /// The client is in a room now.
    fn room_joined(&mut self, xmpp: &XmppClient, room: &Jid) {}

    /// The client is not in a room any more, of its own will or not. The presence says why.
    fn room_left(&mut self, xmpp: &XmppClient, room: &Jid, presence: &Presence) {}

    /// A question that the client does not answer itself. One that is dropped without an answer is answered: nobody here knows.
    fn iq_received(&mut self, xmpp: &XmppClient, request: IqRequest) {}
}
