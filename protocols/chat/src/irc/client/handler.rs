//! What users write: [`IrcHandler`]. Declarations only.

use sinew_transports::ConnectionLost;

use super::{DccOffer, IrcClient, IrcError, Said};
use crate::irc::codec::{Ctcp, IrcText, Message, ModeChange, Source};

/// What happens on IRC, told by methods of Twisted's names. All of them do nothing by default. Only the loop calls them; they may call
/// everything of the client, which is given to each.
///
/// # Examples
///
/// ```
/// use sinew_chat::irc::client::{IrcClient, IrcHandler, Said};
///
/// /// Greets who says hello.
/// struct Polite;
///
/// impl IrcHandler for Polite {
///     fn privmsg(&mut self, irc: &IrcClient, said: &Said<'_>) {
///         if said.text == "hello" && !said.is_echo {
///             let answer = format!("Hello, {}", said.from.nick());
///             if let Err(error) = irc.message(said.reply_to(), answer) {
///                 eprintln!("{error}");
///             }
///         }
///     }
/// }
/// ```
#[allow(unused_variables, reason = "the names document the arguments")]
pub trait IrcHandler: 'static {
    /// The server has welcomed the client. The channels of the configuration, and those before a reconnect, are being joined.
    fn signed_on(&mut self, irc: &IrcClient) {}

    /// A connection has ended before the welcome.
    fn registration_failed(&mut self, irc: &IrcClient, error: &IrcError) {}

    /// The connection has ended, after the welcome.
    fn connection_lost(&mut self, irc: &IrcClient, reason: &ConnectionLost) {}

    /// Somebody has said something, to a channel or to the client. Not called for CTCP.
    fn privmsg(&mut self, irc: &IrcClient, said: &Said<'_>) {}

    /// A notice, which is never to be answered automatically.
    fn noticed(&mut self, irc: &IrcClient, said: &Said<'_>) {}

    /// Somebody acts: `/me waves`.
    fn action(&mut self, irc: &IrcClient, said: &Said<'_>) {}

    /// A question by CTCP, other than an action. VERSION, PING and CLIENTINFO are answered without this method.
    fn ctcp_query(&mut self, irc: &IrcClient, said: &Said<'_>, ctcp: &Ctcp<'_>) {}

    /// Somebody offers a file or a conversation by DCC. Called after [`ctcp_query`](Self::ctcp_query), if the configuration allows DCC and
    /// the offer keeps to its rules. Nothing happens unless it is accepted: [`IrcClient::receive_file`], [`IrcClient::accept_chat`].
    fn dcc_offered(&mut self, irc: &IrcClient, offer: &DccOffer) {}

    /// An answer by CTCP.
    fn ctcp_reply(&mut self, irc: &IrcClient, said: &Said<'_>, ctcp: &Ctcp<'_>) {}

    /// A message with tags only (TAGMSG).
    fn tag_message(&mut self, irc: &IrcClient, said: &Said<'_>) {}

    /// The client is in a channel now. Its members are told later.
    fn joined(&mut self, irc: &IrcClient, channel: IrcText<'_>) {}

    /// The members of a channel are known, after [`joined`](Self::joined) or NAMES: [`IrcClient::members`].
    fn names_received(&mut self, irc: &IrcClient, channel: IrcText<'_>) {}

    /// The client has left a channel.
    fn left(&mut self, irc: &IrcClient, channel: IrcText<'_>) {}

    /// The client was removed from a channel. It is not joined again after a reconnect.
    fn kicked_from(
        &mut self,
        irc: &IrcClient,
        channel: IrcText<'_>,
        by: Source<'_>,
        reason: IrcText<'_>,
    ) {
    }

    /// The nick of the client is another one.
    fn nick_changed(&mut self, irc: &IrcClient, nick: IrcText<'_>) {}

    /// Somebody else is in a channel now.
    fn user_joined(&mut self, irc: &IrcClient, user: Source<'_>, channel: IrcText<'_>) {}

    /// Somebody else has left a channel.
    fn user_left(
        &mut self,
        irc: &IrcClient,
        user: Source<'_>,
        channel: IrcText<'_>,
        reason: IrcText<'_>,
    ) {
    }

    /// Somebody else has left IRC, or is on the other side of a split network.
    fn user_quit(&mut self, irc: &IrcClient, user: Source<'_>, reason: IrcText<'_>) {}

    /// Somebody else was removed from a channel.
    fn user_kicked(
        &mut self,
        irc: &IrcClient,
        nick: IrcText<'_>,
        channel: IrcText<'_>,
        by: Source<'_>,
        reason: IrcText<'_>,
    ) {
    }

    /// Somebody else has another nick.
    fn user_renamed(&mut self, irc: &IrcClient, user: Source<'_>, nick: IrcText<'_>) {}

    /// A channel has this topic: somebody has changed it, or the client has joined. Empty if there is none.
    fn topic_updated(
        &mut self,
        irc: &IrcClient,
        channel: IrcText<'_>,
        topic: IrcText<'_>,
        by: Option<Source<'_>>,
    ) {
    }

    /// Modes of a channel or of the client have changed. Modes that the server has not declared are left out.
    fn mode_changed(
        &mut self,
        irc: &IrcClient,
        by: Source<'_>,
        target: IrcText<'_>,
        changes: &[ModeChange],
    ) {
    }

    /// Somebody invites the client, or, where the server tells that (invite-notify), somebody else.
    fn invited(
        &mut self,
        irc: &IrcClient,
        by: Source<'_>,
        nick: IrcText<'_>,
        channel: IrcText<'_>,
    ) {
    }

    /// Somebody is away with this message, or is back (away-notify).
    fn away_changed(&mut self, irc: &IrcClient, user: Source<'_>, away: Option<IrcText<'_>>) {}

    /// Somebody has logged in to an account, or out (account-notify).
    fn account_changed(&mut self, irc: &IrcClient, user: Source<'_>, account: Option<IrcText<'_>>) {
    }

    /// Somebody has another user name and host (chghost).
    fn host_changed(
        &mut self,
        irc: &IrcClient,
        before: Source<'_>,
        user: IrcText<'_>,
        host: IrcText<'_>,
    ) {
    }

    /// The message of the day is complete: [`IrcClient::motd`].
    fn motd_received(&mut self, irc: &IrcClient) {}

    /// The server has said which features it has: [`IrcClient::isupport`].
    fn isupport(&mut self, irc: &IrcClient) {}

    /// A standard reply: FAIL, WARN or NOTE.
    fn standard_reply(&mut self, irc: &IrcClient, message: &Message<'_>) {}

    /// A batch of messages begins or ends. The messages in it have the tag `batch`, and are told as others are.
    fn batch(&mut self, irc: &IrcClient, is_begin: bool, message: &Message<'_>) {}

    /// A reply with a number, each of them, after what else it causes was told.
    fn numeric(&mut self, irc: &IrcClient, number: u16, message: &Message<'_>) {}

    /// A command that the client does not know.
    fn unknown(&mut self, irc: &IrcClient, message: &Message<'_>) {}

    /// Every message, before all else.
    fn message_received(&mut self, irc: &IrcClient, message: &Message<'_>) {}
}
