//! The configuration of a Maildir store: [`MaildirConfig`].

use std::time::Duration;

use crate::store::StoreLimits;

/// How a [`MaildirStore`](super::MaildirStore) works.
#[derive(Clone, Debug)]
#[must_use]
pub struct MaildirConfig {
    pub(super) settings: Settings,
}

/// What threads need of it, too.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(super) limits: StoreLimits,
    pub(super) lock_timeout: Duration,
    pub(super) poll_interval: Duration,
    pub(super) creates_accounts: bool,
    pub(super) host_name: String,
}

impl MaildirConfig {
    /// The limits of every account.
    pub fn limits(mut self, limits: StoreLimits) -> Self {
        self.settings.limits = limits;
        self
    }

    /// How long work waits for a lock that another process has, before it fails with
    /// [`StoreError::Locked`](crate::store::StoreError::Locked). Default 30 seconds. No thread waits meanwhile.
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.settings.lock_timeout = timeout;
        self
    }

    /// How often a mailbox that is watched is looked at for what other programs have changed. Default 10 seconds, at least 10
    /// milliseconds. It takes a thread of the pool for a few calls of `stat(2)`, as long as nothing has changed.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.settings.poll_interval = interval.max(Duration::from_millis(10));
        self
    }

    /// Whether an account that is asked for is made, if it is not there. Default no: else anyone who sends mail could make accounts.
    pub fn create_accounts(mut self, yes: bool) -> Self {
        self.settings.creates_accounts = yes;
        self
    }

    /// The name of this machine in the names of new files. Default `localhost`. Set it if several machines share the folders, though
    /// names have a random number, too. Characters that a file name of a Maildir cannot have are left out.
    pub fn host_name(mut self, name: &str) -> Self {
        let is_allowed = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        self.settings.host_name = name.chars().filter(is_allowed).take(64).collect();
        self
    }
}

impl Default for MaildirConfig {
    fn default() -> Self {
        Self {
            settings: Settings {
                limits: StoreLimits::default(),
                lock_timeout: Duration::from_secs(30),
                poll_interval: Duration::from_secs(10),
                creates_accounts: false,
                host_name: "localhost".to_owned(),
            },
        }
    }
}
