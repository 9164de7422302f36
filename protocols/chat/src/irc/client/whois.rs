//! Who somebody is: [`Whois`].

use std::time::Duration;

/// The reply to WHOIS. What is not UTF-8 is replaced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Whois {
    /// The nick, as it is written there.
    pub nick: String,
    /// The user name.
    pub user: String,
    /// The host.
    pub host: String,
    /// The real name, or any text.
    pub real_name: String,
    /// The server.
    pub server: Option<String>,
    /// The account that the user is logged in to.
    pub account: Option<String>,
    /// Channels, with prefixes before those where the user has a status.
    pub channels: Vec<String>,
    /// For how long the user has said nothing.
    pub idle: Option<Duration>,
    /// Why the user is away.
    pub away: Option<String>,
    /// Whether it is an operator of the server.
    pub is_operator: bool,
    /// Whether it is connected by TLS.
    pub is_secure: bool,
}
