//! The services that servers of one section provide: [`Service`].

use serde::Deserialize;

/// A section of the contestants' file.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Service {
    Echo,
    Line,
    Fanout,
    Scale,
    Spin,
    Timers,
    Http,
    #[serde(rename = "http-file")]
    HttpFile,
    Https,
    WebSocket,
    #[serde(rename = "ws-broadcast")]
    WsBroadcast,
    Dns,
    Smtp,
    Pop3,
    Imap,
    #[serde(rename = "imap-idle")]
    ImapIdle,
    Irc,
}
