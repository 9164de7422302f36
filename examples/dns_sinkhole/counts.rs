//! What was asked: [`Counts`], by name and by client. Bounded, whatever clients ask for.

use std::{collections::HashMap, hash::Hash, net::IpAddr};

use sinew::dns::{server::Query, zone::text_of_name};

/// Rows of each table.
const ROWS_MAX: usize = 500;

/// Counts of all queries.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) asked: u64,
    pub(crate) blocked: u64,
    /// Names that were blocked.
    pub(crate) names: Table<String>,
    /// Clients, by all that they have asked.
    pub(crate) clients: Table<IpAddr>,
    /// Clients, by what was blocked.
    pub(crate) blocked_clients: Table<IpAddr>,
}

impl Counts {
    pub(crate) fn count(&mut self, query: &Query<'_>, is_blocked: bool) {
        // A client over UDP may have forged its address.
        let client = query.client().map(|addr| addr.ip().to_canonical());
        self.asked += 1;
        client.into_iter().for_each(|client| self.clients.count(client));
        if is_blocked {
            self.blocked += 1;
            self.names.count(text_of_name(&query.name()).to_ascii_lowercase());
            client.into_iter().for_each(|client| self.blocked_clients.count(client));
        }
    }
}

/// The most frequent keys. When the table is full, the rarest key makes room for a new one, which takes its count over ("Space-Saving",
/// Metwally and others, 2005): a count may be too high by that much, never too low, and what is asked often stays.
pub(crate) struct Table<K>(HashMap<K, u64>);

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Clone + Eq + Hash + Ord> Table<K> {
    fn count(&mut self, key: K) {
        if let Some(count) = self.0.get_mut(&key) {
            *count += 1;
            return;
        }
        let mut before = 0;
        if self.0.len() >= ROWS_MAX
            && let Some(rarest) = self.0.iter().min_by_key(|row| row.1).map(|row| row.0.clone())
        {
            before = self.0.remove(&rarest).unwrap_or(0);
        }
        self.0.insert(key, before + 1);
    }

    /// The first rows, the most frequent first.
    pub(crate) fn top(&self, rows: usize) -> Vec<(&K, u64)> {
        let mut all: Vec<_> = self.0.iter().map(|(key, count)| (key, *count)).collect();
        all.sort_by(|(one, one_count), (other, other_count)| {
            other_count.cmp(one_count).then_with(|| one.cmp(other))
        });
        all.truncate(rows);
        all
    }
}
