//! The load modes and their usual parameters: [`Mode`].

use serde::{Deserialize, Serialize};

use crate::service::Service;

/// What the load does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    Echo,
    Bulk,
    Line,
    Fanout,
    Churn,
    Storm,
    Idle,
    Scale,
    Spin,
    Timers,
    Http,
    #[serde(rename = "http-file")]
    HttpFile,
    #[serde(rename = "http-idle")]
    HttpIdle,
    #[serde(rename = "https-idle")]
    HttpsIdle,
    #[serde(rename = "ws-echo")]
    WsEcho,
    #[serde(rename = "ws-idle")]
    WsIdle,
    #[serde(rename = "ws-broadcast")]
    WsBroadcast,
    Dns,
    Smtp,
    Pop3,
    Imap,
    #[serde(rename = "imap-idle")]
    ImapIdle,
    Irc,
    #[serde(rename = "irc-idle")]
    IrcIdle,
}

impl Mode {
    /// The section of the contestants' file that takes part.
    pub(crate) fn service(self) -> Service {
        match self {
            Self::Echo | Self::Bulk | Self::Churn | Self::Storm | Self::Idle => Service::Echo,
            Self::Line => Service::Line,
            Self::Fanout => Service::Fanout,
            Self::Scale => Service::Scale,
            Self::Spin => Service::Spin,
            Self::Timers => Service::Timers,
            Self::Http | Self::HttpIdle => Service::Http,
            Self::HttpFile => Service::HttpFile,
            Self::HttpsIdle => Service::Https,
            Self::WsEcho | Self::WsIdle => Service::WebSocket,
            Self::WsBroadcast => Service::WsBroadcast,
            Self::Dns => Service::Dns,
            Self::Smtp => Service::Smtp,
            Self::Pop3 => Service::Pop3,
            Self::Imap => Service::Imap,
            Self::ImapIdle => Service::ImapIdle,
            Self::Irc | Self::IrcIdle => Service::Irc,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Bulk => "bulk",
            Self::Line => "line",
            Self::Fanout => "fanout",
            Self::Churn => "churn",
            Self::Storm => "storm",
            Self::Idle => "idle",
            Self::Scale => "scale",
            Self::Spin => "spin",
            Self::Timers => "timers",
            Self::Http => "http",
            Self::HttpFile => "http-file",
            Self::HttpIdle => "http-idle",
            Self::HttpsIdle => "https-idle",
            Self::WsEcho => "ws-echo",
            Self::WsIdle => "ws-idle",
            Self::WsBroadcast => "ws-broadcast",
            Self::Dns => "dns",
            Self::Smtp => "smtp",
            Self::Pop3 => "pop3",
            Self::Imap => "imap",
            Self::ImapIdle => "imap-idle",
            Self::Irc => "irc",
            Self::IrcIdle => "irc-idle",
        }
    }

    /// The name of this load for the `load` program.
    pub(crate) fn kind_of_load(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Fanout => "fanout",
            Self::Churn => "churn",
            Self::Storm => "storm",
            Self::Http | Self::HttpIdle => "http",
            Self::HttpFile => "http-file",
            Self::HttpsIdle => "https",
            Self::WsEcho | Self::WsIdle => "ws-echo",
            Self::WsBroadcast => "ws-broadcast",
            Self::Dns => "dns",
            Self::Smtp => "smtp",
            Self::Pop3 => "pop3",
            Self::Imap => "imap",
            Self::ImapIdle => "imap-idle",
            Self::Irc | Self::IrcIdle => "irc",
            _ => "echo",
        }
    }

    /// Whether a window of messages is measured, which can also be counted.
    pub(crate) fn has_messages(self) -> bool {
        !self.is_idle() && !matches!(self, Self::Storm | Self::Scale | Self::Timers)
    }

    /// Whether the memory of idle connections is measured.
    pub(crate) fn is_idle(self) -> bool {
        matches!(
            self,
            Self::Idle
                | Self::HttpIdle
                | Self::HttpsIdle
                | Self::WsIdle
                | Self::ImapIdle
                | Self::IrcIdle
        )
    }

    /// Whether a message goes to all connections, and counts once for each.
    pub(crate) fn is_broadcast(self) -> bool {
        matches!(self, Self::Fanout | Self::WsBroadcast | Self::Irc)
    }

    /// The usual numbers of connections, as far as allowed.
    pub(crate) fn connections(self, allowed: usize) -> Vec<usize> {
        match self {
            Self::Echo | Self::Line | Self::Churn | Self::Http | Self::WsEcho => vec![64],
            Self::Bulk => vec![1, 4],
            Self::Fanout | Self::WsBroadcast => vec![1_000],
            Self::Irc => vec![1_000, allowed.min(5_000)],
            Self::IrcIdle => vec![allowed.min(5_000)],
            Self::Storm => vec![10_000],
            Self::HttpFile => vec![4],
            Self::Dns | Self::Smtp => vec![16],
            Self::Pop3 | Self::Imap => vec![bench::mail::USERS],
            Self::Idle | Self::HttpIdle | Self::WsIdle => vec![allowed.min(20_000)],
            Self::HttpsIdle | Self::ImapIdle => vec![allowed.min(2_000)],
            Self::Scale => vec![1_000, 5_000, allowed.min(100_000)],
            Self::Spin => vec![1],
            Self::Timers => vec![100_000],
        }
    }

    /// The usual numbers of messages in flight on each connection.
    pub(crate) fn outstanding(self) -> Vec<usize> {
        match self {
            Self::Echo | Self::Line | Self::Http | Self::WsEcho => vec![1, 16],
            Self::Bulk => vec![16],
            Self::Dns => vec![1, 8],
            Self::Pop3 => vec![1, 16],
            Self::Imap => vec![1, 100],
            _ => vec![1],
        }
    }

    /// Bytes in a message.
    pub(crate) fn size(self) -> usize {
        match self {
            Self::Bulk => 64 * 1024,
            Self::Http | Self::HttpIdle | Self::HttpsIdle => bench::http::TEXT.len(),
            Self::HttpFile => bench::http::FILE_LEN,
            Self::Dns => bench::dns::QUERY_LEN,
            Self::Smtp | Self::Pop3 | Self::Imap => bench::mail::MESSAGE_LEN,
            _ => 64,
        }
    }
}
