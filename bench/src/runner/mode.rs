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
    Http,
    Fanout,
    Churn,
    Storm,
    Idle,
    Scale,
    Spin,
    Timers,
}

impl Mode {
    /// The section of the contestants' file that takes part.
    pub(crate) fn service(self) -> Service {
        match self {
            Self::Echo | Self::Bulk | Self::Churn | Self::Storm | Self::Idle => Service::Echo,
            Self::Line => Service::Line,
            Self::Http => Service::Http,
            Self::Fanout => Service::Fanout,
            Self::Scale => Service::Scale,
            Self::Spin => Service::Spin,
            Self::Timers => Service::Timers,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Bulk => "bulk",
            Self::Line => "line",
            Self::Http => "http",
            Self::Fanout => "fanout",
            Self::Churn => "churn",
            Self::Storm => "storm",
            Self::Idle => "idle",
            Self::Scale => "scale",
            Self::Spin => "spin",
            Self::Timers => "timers",
        }
    }

    /// The name of this load for the `load` program.
    pub(crate) fn kind_of_load(self) -> &'static str {
        match self {
            Self::Line => "line",
            Self::Http => "http",
            Self::Fanout => "fanout",
            Self::Churn => "churn",
            Self::Storm => "storm",
            _ => "echo",
        }
    }

    /// Whether a window of messages is measured, which can also be counted.
    pub(crate) fn has_messages(self) -> bool {
        !matches!(self, Self::Idle | Self::Storm | Self::Scale | Self::Timers)
    }

    /// The usual numbers of connections, as far as allowed.
    pub(crate) fn connections(self, allowed: usize) -> Vec<usize> {
        match self {
            Self::Echo | Self::Line | Self::Http | Self::Churn => vec![64],
            Self::Bulk => vec![1, 4],
            Self::Fanout => vec![1_000],
            Self::Storm => vec![10_000],
            Self::Idle => vec![allowed.min(20_000)],
            Self::Scale => vec![1_000, 5_000, allowed.min(100_000)],
            Self::Spin => vec![1],
            Self::Timers => vec![100_000],
        }
    }

    /// The usual numbers of messages in flight on each connection.
    pub(crate) fn outstanding(self) -> Vec<usize> {
        match self {
            Self::Echo | Self::Line | Self::Http => vec![1, 16],
            Self::Bulk => vec![16],
            _ => vec![1],
        }
    }

    /// Bytes in a message.
    pub(crate) fn size(self) -> usize {
        if self == Self::Bulk { 64 * 1024 } else { 64 }
    }
}
