//! What a server says of itself: [`ServerReport`].

/// How many clients and channels a server has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerReport {
    /// Connections, with those that are not welcomed yet.
    pub connections: usize,
    /// Clients that were welcomed.
    pub clients: usize,
    /// The most at one time.
    pub clients_most: usize,
    /// Channels with members.
    pub channels: usize,
    /// Registered channels, with and without members.
    pub registered_channels: usize,
}
