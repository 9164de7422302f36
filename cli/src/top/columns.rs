//! The columns of the list of connections: what each shows, how it sorts, how wide it is, and which of them fit. Pure.

use std::cmp::Ordering;

use sinew::application::inspect::report::ConnectionStatus;
use sinew::reactor::Excerpt;

use crate::look::{age, bytes, micros, name};

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Column {
    Peer,
    Received,
    Sent,
    Rate,
    State,
    Age,
    Queued,
    Longest,
    Paused,
    Quiet,
    Kind,
    Reactor,
    Protocol,
}

/// A connection, and what two looks at it tell: bytes a second, both ways.
#[derive(Clone, Debug, Default)]
pub(super) struct Listed {
    pub(super) status: ConnectionStatus,
    pub(super) rate: f64,
}

impl Column {
    /// In the order of their importance: on a narrow terminal the last ones are left out.
    pub(super) const ALL: [Self; 13] = [
        Self::Peer,
        Self::Rate,
        Self::Received,
        Self::Sent,
        Self::State,
        Self::Age,
        Self::Queued,
        Self::Longest,
        Self::Paused,
        Self::Protocol,
        Self::Kind,
        Self::Quiet,
        Self::Reactor,
    ];

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Peer => "PEER",
            Self::Received => "RECEIVED",
            Self::Sent => "SENT",
            Self::Rate => "PER S",
            Self::State => "STATE",
            Self::Age => "AGE",
            Self::Queued => "QUEUED",
            Self::Longest => "LONGEST",
            Self::Paused => "PAUSED BY",
            Self::Quiet => "QUIET",
            Self::Kind => "KIND",
            Self::Reactor => "REACTOR",
            Self::Protocol => "PROTOCOL",
        }
    }

    /// In characters.
    pub(super) const fn width(self) -> u16 {
        match self {
            Self::Peer => 24,
            Self::Received | Self::Sent | Self::Rate | Self::Queued | Self::Longest => 11,
            Self::State => 14,
            Self::Age | Self::Quiet => 13,
            Self::Paused => 12,
            Self::Kind => 10,
            Self::Reactor => 8,
            Self::Protocol => 24,
        }
    }

    /// Whether the greatest come first when it is chosen.
    pub(super) const fn is_number(self) -> bool {
        !matches!(self, Self::Peer | Self::State | Self::Paused | Self::Kind | Self::Protocol)
    }

    pub(super) fn text(self, listed: &Listed) -> String {
        let status = &listed.status;
        let counts = status.counts.as_ref();
        let counted = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        match self {
            Self::Peer => Excerpt::new(&status.peer).to_string(),
            Self::Received => counted(counts.map(|counts| bytes(counts.received))),
            Self::Sent => counted(counts.map(|counts| bytes(counts.sent))),
            Self::Rate => counted(counts.map(|_| bytes(listed.rate as u64))),
            Self::State => Excerpt::new(&status.state).to_string(),
            Self::Age => counted(counts.map(|counts| age(counts.age_ms))),
            Self::Queued => bytes(status.queued as u64),
            Self::Longest => counted(counts.map(|counts| micros(counts.longest_us))),
            Self::Paused if status.paused.is_empty() => "-".to_owned(),
            Self::Paused => Excerpt::new(&status.paused.join(",")).to_string(),
            Self::Quiet => counted(counts.map(|counts| age(counts.quiet_ms))),
            Self::Kind => match status.tls {
                Some(_) => format!("{}+tls", Excerpt::new(&status.kind)),
                None => Excerpt::new(&status.kind).to_string(),
            },
            Self::Reactor => status.shard.to_string(),
            Self::Protocol => counted(status.protocol.as_deref().map(name)),
        }
    }

    /// The order of two connections by this column, the smaller one first; equal ones by their ids.
    pub(super) fn compare(self, a: &Listed, b: &Listed) -> Ordering {
        let of = |of: fn(&sinew::application::inspect::report::Counts) -> u64| {
            let value = |listed: &Listed| listed.status.counts.as_ref().map(of);
            value(a).cmp(&value(b))
        };
        let order = match self {
            Self::Peer => a.status.peer.cmp(&b.status.peer),
            Self::Received => of(|counts| counts.received),
            Self::Sent => of(|counts| counts.sent),
            Self::Rate => a.rate.total_cmp(&b.rate),
            Self::State => a.status.state.cmp(&b.status.state),
            Self::Age => of(|counts| counts.age_ms),
            Self::Queued => a.status.queued.cmp(&b.status.queued),
            Self::Longest => of(|counts| counts.longest_us),
            Self::Paused => a.status.paused.cmp(&b.status.paused),
            Self::Quiet => of(|counts| counts.quiet_ms),
            Self::Kind => a.status.kind.cmp(&b.status.kind),
            Self::Reactor => a.status.shard.cmp(&b.status.shard),
            Self::Protocol => a.status.protocol.cmp(&b.status.protocol),
        };
        order.then_with(|| a.status.id.cmp(&b.status.id))
    }

    /// The columns that fit into this width, and the one that the list is sorted by; always at least one.
    pub(super) fn fitting(width: u16, sorted_by: Self) -> Vec<Self> {
        let mut fitting = vec![Self::Peer];
        let mut left = width.saturating_sub(Self::Peer.width());
        let wanted = [sorted_by].into_iter().chain(Self::ALL);
        for column in wanted {
            let needs = column.width() + 1;
            if needs > left || fitting.contains(&column) {
                continue;
            }
            left -= needs;
            fitting.push(column);
        }
        fitting.sort_by_key(|column| Self::ALL.iter().position(|known| known == column));
        fitting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sorted_column_is_shown_however_narrow_it_is() {
        let wide = Column::fitting(300, Column::Peer);
        assert_eq!(wide.len(), Column::ALL.len());
        assert_eq!(Column::fitting(40, Column::Quiet), [Column::Peer, Column::Quiet]);
        assert_eq!(Column::fitting(10, Column::Quiet), [Column::Peer]);
        assert_eq!(Column::fitting(0, Column::Peer), [Column::Peer]);
    }

    #[test]
    fn columns_take_no_more_than_there_is() {
        for width in 0..300 {
            for sorted_by in Column::ALL {
                let fitting = Column::fitting(width, sorted_by);
                let taken: u16 = fitting.iter().map(|column| column.width() + 1).sum();
                assert!(taken <= width.saturating_add(1) || fitting == [Column::Peer], "{width}");
            }
        }
    }
}
