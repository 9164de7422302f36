//! What `top` knows: the last look, what is selected, sorted and filtered. Knows no terminal and no time of its own.
//!
//! | mode | shows | left by |
//! |---|---|---|
//! | `List` | the list, or the ports, the reactors, the callbacks | `q` |
//! | `Filter` | the same, while text is typed | Enter, Esc (which drops the text) |
//! | `Detail` | one connection | Esc |
//! | `Confirm` | a question before an action | `y` does it; any other key does not |
//! | `Help` | the keys | any key |

use std::collections::HashMap;

use sinew::application::inspect::report::{ConnectionStatus, Status, Totals};

use super::columns::{Column, Listed};
use crate::look::Action;

/// One look at the program.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    pub(super) status: Status,
    pub(super) connections: Vec<ConnectionStatus>,
    /// There are more connections than were asked for.
    pub(super) is_partial: bool,
    /// When, in seconds since the start of `top`.
    pub(super) at: f64,
}

/// What the large part of the screen shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum View {
    #[default]
    Connections,
    Ports,
    Reactors,
    Callbacks,
}

impl View {
    pub(super) const ALL: [Self; 4] =
        [Self::Connections, Self::Ports, Self::Reactors, Self::Callbacks];

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Ports => "ports",
            Self::Reactors => "reactors",
            Self::Callbacks => "callbacks",
        }
    }
}

/// What keys do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Mode {
    #[default]
    List,
    Filter,
    Detail,
    Confirm {
        action: Action,
        id: String,
        peer: String,
        /// Where it was asked, and leads back to.
        from_detail: bool,
    },
    Help,
}

/// Rates of the whole program, a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rates {
    pub(super) made: f64,
    pub(super) received: f64,
    pub(super) sent: f64,
    pub(super) events: f64,
}

/// The state of `top`.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) status: Option<Status>,
    connections: Vec<Listed>,
    pub(super) is_partial: bool,
    at: f64,
    pub(super) rates: Rates,
    pub(super) view: View,
    pub(super) mode: Mode,
    pub(super) sorted_by: Column,
    pub(super) descending: bool,
    pub(super) filter: String,
    /// The connection under the cursor, by its id, so that it stays there when the list changes.
    selected: Option<String>,
    /// The first line of a list that is shown.
    pub(super) offset: usize,
    /// What has happened last: an action, or why nothing is known.
    pub(super) message: Option<String>,
    pub(super) is_lost: bool,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            status: None,
            connections: Vec::new(),
            is_partial: false,
            at: 0.0,
            rates: Rates::default(),
            view: View::default(),
            mode: Mode::default(),
            sorted_by: Column::Rate,
            descending: true,
            filter: String::new(),
            selected: None,
            offset: 0,
            message: None,
            is_lost: false,
        }
    }
}

impl Model {
    /// A look has succeeded.
    pub(super) fn looked(&mut self, snapshot: Snapshot) {
        let seconds = snapshot.at - self.at;
        let same = self.status.as_ref().filter(|before| before.pid == snapshot.status.pid);
        self.rates = match same {
            Some(before) if seconds > 0.0 => rates(&before.total, &snapshot.status.total, seconds),
            _ => Rates::default(),
        };
        let before: HashMap<_, _> = match same {
            Some(_) => self
                .connections
                .iter()
                .map(|one| (one.status.id.as_str(), moved(&one.status)))
                .collect(),
            None => HashMap::new(),
        };
        let listed = snapshot.connections.into_iter().map(|status| {
            let grown =
                before.get(status.id.as_str()).map(|before| moved(&status).saturating_sub(*before));
            let rate = grown.filter(|_| seconds > 0.0).map_or(0.0, |grown| grown as f64 / seconds);
            Listed { status, rate }
        });
        self.connections = listed.collect();
        self.status = Some(snapshot.status);
        (self.at, self.is_partial, self.is_lost) = (snapshot.at, snapshot.is_partial, false);
        if self.message.as_deref().is_some_and(|message| message.starts_with(LOST)) {
            self.message = None;
        }
    }

    /// A look has failed. What was seen last stays.
    pub(super) fn failed(&mut self, why: &str) {
        self.is_lost = true;
        self.message = Some(format!("{LOST}{why}"));
    }

    /// The connections that the filter lets through, in order.
    pub(super) fn listed(&self) -> Vec<&Listed> {
        let wanted = self.filter.to_lowercase();
        let mut listed: Vec<_> = self
            .connections
            .iter()
            .filter(|one| wanted.is_empty() || matches(one, &wanted))
            .collect();
        listed.sort_by(|a, b| {
            let order = self.sorted_by.compare(a, b);
            if self.descending { order.reverse() } else { order }
        });
        listed
    }

    /// How many connections were asked for and are known.
    pub(super) fn known(&self) -> usize {
        self.connections.len()
    }

    /// Where the selected connection is in `listed`; the first one if it is gone.
    pub(super) fn cursor(&self, listed: &[&Listed]) -> Option<usize> {
        let selected = self.selected.as_ref();
        let at = listed.iter().position(|one| Some(&one.status.id) == selected);
        at.or_else(|| (!listed.is_empty()).then_some(0))
    }

    /// The selected connection.
    pub(super) fn selected(&self) -> Option<Listed> {
        let listed = self.listed();
        match &self.mode {
            // Its end is shown as such, and no other one takes its place.
            Mode::Detail => self
                .connections
                .iter()
                .find(|one| Some(&one.status.id) == self.selected.as_ref())
                .cloned(),
            _ => self.cursor(&listed).map(|at| listed[at].clone()),
        }
    }

    /// The id of what was selected, whether or not it is still there.
    pub(super) fn selected_id(&self) -> Option<&str> {
        self.selected.as_deref()
    }

    /// Moves the cursor by so many lines.
    pub(super) fn move_by(&mut self, lines: isize) {
        if self.view != View::Connections {
            self.offset = self.offset.saturating_add_signed(lines);
            return;
        }
        let listed = self.listed();
        let Some(cursor) = self.cursor(&listed) else { return };
        let to = cursor.saturating_add_signed(lines).min(listed.len() - 1);
        self.selected = Some(listed[to].status.id.clone());
    }

    /// The detail of the connection under the cursor.
    pub(super) fn open_detail(&mut self) {
        if let Some(one) = self.selected().filter(|_| self.view == View::Connections) {
            self.selected = Some(one.status.id);
            self.mode = Mode::Detail;
        }
    }

    /// Asks before an action on the selected connection.
    pub(super) fn confirm(&mut self, action: Action) {
        let from_detail = self.mode == Mode::Detail;
        if let Some(one) = self.selected().filter(|_| self.view == View::Connections) {
            let (id, peer) = (one.status.id, one.status.peer);
            self.selected = Some(id.clone());
            self.mode = Mode::Confirm { action, id, peer, from_detail };
        }
    }

    /// Sorts by the next column, or the one before.
    pub(super) fn sort_by_next(&mut self, forward: bool) {
        let all = Column::ALL;
        let at = all.iter().position(|column| *column == self.sorted_by).unwrap_or(0);
        let step = if forward { 1 } else { all.len() - 1 };
        self.sorted_by = all[(at + step) % all.len()];
        self.descending = self.sorted_by.is_number();
    }

    pub(super) fn show(&mut self, view: View) {
        (self.view, self.offset, self.mode) = (view, 0, Mode::List);
    }
}

/// How a message begins that says that nothing is known any more.
const LOST: &str = "no answer: ";

fn moved(status: &ConnectionStatus) -> u64 {
    status.counts.as_ref().map_or(0, |counts| counts.received.saturating_add(counts.sent))
}

fn matches(one: &Listed, wanted: &str) -> bool {
    let texts = [Column::Peer, Column::State, Column::Paused, Column::Kind, Column::Protocol];
    texts.iter().any(|column| column.text(one).to_lowercase().contains(wanted))
}

fn rates(before: &Totals, now: &Totals, seconds: f64) -> Rates {
    let rate = |before: u64, now: u64| now.saturating_sub(before) as f64 / seconds;
    Rates {
        made: rate(before.connections_made, now.connections_made),
        received: rate(before.bytes_received, now.bytes_received),
        sent: rate(before.bytes_sent, now.bytes_sent),
        events: rate(before.events, now.events),
    }
}

#[cfg(test)]
pub(super) mod tests;
