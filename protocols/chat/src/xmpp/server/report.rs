//! What a server has to do with now: [`ServerReport`].

/// Numbers of an [`XmppServer`](super::XmppServer).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerReport {
    /// Connections, also those before the login.
    pub connections: usize,
    /// Sessions: resources that are bound.
    pub sessions: usize,
    /// Sessions whose connection is lost, and which can be resumed.
    pub sessions_waiting: usize,
    /// Bytes that wait for clients: see [`unread_total_max`](super::ServerConfig::unread_total_max).
    pub bytes_unread: usize,
    /// Accounts in memory.
    pub accounts: usize,
    /// Accounts that have changed and are not stored yet.
    pub accounts_unsaved: usize,
    /// Archives with messages that are not written yet.
    pub archives_unwritten: usize,
}
