//! What a queue is told: [`QueueConfig`], with its limits.

use std::time::Duration;

use sinew_protocols::basic::{ArgumentError, Word};

/// The schedule and the limits of a queue.
///
/// | limit | default | when exceeded |
/// |---|---|---|
/// | [`messages_max`](Self::messages_max) | 100,000 in the queue | 452, `QueueError::Full` |
/// | [`recipients_max`](Self::recipients_max) | 1,000,000 in the queue | the same |
/// | [`bytes_max`](Self::bytes_max) | 10 GiB in the spool | the same |
/// | [`size_max`](Self::size_max) | 100 MiB a message | 552, `QueueError::TooLarge` |
/// | [`deliveries_max`](Self::deliveries_max) | 50 at once | they wait |
/// | [`deliveries_max_each`](Self::deliveries_max_each) | 5 at once to a destination | they wait |
/// | [`recipients_max_each`](Self::recipients_max_each) | 100 in one transaction | further transactions |
/// | [`delivery_timeout`](Self::delivery_timeout) | 1 h an attempt | it is given up, and tried again later |
/// | [`retry_first`](Self::retry_first), [`retry_max`](Self::retry_max) | 15 min, doubled up to 4 h | |
/// | [`expiry`](Self::expiry) | 5 days | the message is returned |
/// | [`delay_warning`](Self::delay_warning) | none | a report that the message is late |
/// | [`report_body_max`](Self::report_body_max) | 64 KiB of a message in a report | its header alone |
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use sinew_mail::queue::QueueConfig;
///
/// let config = QueueConfig::new("mail.example.org")?.expiry(Duration::from_secs(2 * 24 * 3600)).deliveries_max(200);
/// # drop(config);
/// # Ok::<(), sinew_protocols::basic::ArgumentError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct QueueConfig {
    pub(crate) hostname: Word,
    pub(crate) messages_max: usize,
    pub(crate) recipients_max: usize,
    pub(crate) bytes_max: u64,
    pub(crate) size_max: u64,
    pub(crate) deliveries_max: usize,
    pub(crate) deliveries_max_each: usize,
    pub(crate) recipients_max_each: usize,
    pub(crate) delivery_timeout: Duration,
    pub(crate) retry_first: Duration,
    pub(crate) retry_max: Duration,
    pub(crate) expiry: Duration,
    pub(crate) delay_warning: Option<Duration>,
    pub(crate) report_body_max: usize,
    pub(crate) stop_grace: Duration,
    pub(crate) report_agent: Word,
}

impl QueueConfig {
    /// A queue of the host of this name, which its reports come from.
    ///
    /// # Errors
    ///
    /// The name has a space or a control character, or is empty.
    pub fn new(hostname: &str) -> Result<Self, ArgumentError> {
        Ok(Self {
            hostname: Word::try_from(hostname)?,
            messages_max: 100_000,
            recipients_max: 1_000_000,
            bytes_max: 10 << 30,
            size_max: 100 << 20,
            deliveries_max: 50,
            deliveries_max_each: 5,
            recipients_max_each: 100,
            delivery_timeout: Duration::from_secs(60 * 60),
            retry_first: Duration::from_secs(15 * 60),
            retry_max: Duration::from_secs(4 * 60 * 60),
            expiry: Duration::from_secs(5 * 24 * 60 * 60),
            delay_warning: None,
            report_body_max: 64 * 1024,
            stop_grace: Duration::from_secs(30),
            report_agent: super::SMTP_AGENT,
        })
    }

    /// Most messages in the queue. Default 100,000; reports about messages that are there count, but are never refused.
    pub fn messages_max(mut self, messages: usize) -> Self {
        self.messages_max = messages;
        self
    }

    /// Most recipients in the queue. Default 1,000,000; each takes about half a kilobyte of memory.
    pub fn recipients_max(mut self, recipients: usize) -> Self {
        self.recipients_max = recipients;
        self
    }

    /// Most bytes of messages in the spool, with those that are being received. Default 10 GiB.
    pub fn bytes_max(mut self, bytes: u64) -> Self {
        self.bytes_max = bytes;
        self
    }

    /// Longest message. Default 100 MiB; a server has a [limit of its own](crate::smtp::server::ServerConfig::size_max).
    pub fn size_max(mut self, bytes: u64) -> Self {
        self.size_max = bytes;
        self
    }

    /// Most attempts at once. Default 50. Half as many more may go on that last longer than a minute, or whose destination has kept the
    /// last one as long: destinations that are slow do not take all places. Where the last one has lasted longer than 8 minutes, there is
    /// one attempt at a time, and half of these places are not for such destinations: tarpits do not keep those waiting that are only slow.
    pub fn deliveries_max(mut self, deliveries: usize) -> Self {
        self.deliveries_max = deliveries;
        self
    }

    /// Most attempts at once to the same destination. Default 5.
    pub fn deliveries_max_each(mut self, deliveries: usize) -> Self {
        self.deliveries_max_each = deliveries;
        self
    }

    /// Most recipients in one transaction. Default 100, which every server has to accept (RFC 5321 4.5.3.1.8).
    pub fn recipients_max_each(mut self, recipients: usize) -> Self {
        self.recipients_max_each = recipients.max(1);
        self
    }

    /// How long an attempt may take in all. Default 1 hour. The clocks of the SMTP client are shorter.
    pub fn delivery_timeout(mut self, timeout: Duration) -> Self {
        self.delivery_timeout = timeout;
        self
    }

    /// How long after the first attempt the second follows, and how long a destination is left alone that could not be reached. Default
    /// 15 minutes. The times are up to a tenth longer, at random.
    pub fn retry_first(mut self, after: Duration) -> Self {
        self.retry_first = after;
        self
    }

    /// The longest time between two attempts; it is doubled up to there. Default 4 hours.
    pub fn retry_max(mut self, after: Duration) -> Self {
        self.retry_max = after;
        self
    }

    /// How old a message may become before it is returned to its sender. Default 5 days (RFC 5321 4.5.4.1: at least four or five).
    pub fn expiry(mut self, age: Duration) -> Self {
        self.expiry = age;
        self
    }

    /// After which time the sender is told that a message is late: if NOTIFY asks for it, or was not given. Default: never.
    pub fn delay_warning(mut self, age: impl Into<Option<Duration>>) -> Self {
        self.delay_warning = age.into();
        self
    }

    /// The longest message that a report returns whole, where RET does not ask for the header. Default 64 KiB.
    pub fn report_body_max(mut self, bytes: usize) -> Self {
        self.report_body_max = bytes;
        self
    }

    /// How long [`Queue::stop`](super::Queue::stop) lets attempts go on. Default 30 seconds.
    pub fn stop_grace(mut self, grace: Duration) -> Self {
        self.stop_grace = grace;
        self
    }

    /// The agent that delivers reports to the senders of messages. Default: that of mail for other hosts.
    pub fn report_agent(mut self, name: Word) -> Self {
        self.report_agent = name;
        self
    }

    /// How long to wait after so many attempts; `random` is any number.
    pub(crate) fn retry_after(&self, tries: u32, random: u64) -> Duration {
        let doubled = self.retry_first.saturating_mul(1 << tries.saturating_sub(1).min(16));
        let after = doubled.min(self.retry_max);
        let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        after + Duration::from_millis(random % (millis / 10 + 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_are_doubled_up_to_a_limit_and_spread() {
        let config = QueueConfig::new("mail.example").unwrap();
        let minutes = |tries, random| config.retry_after(tries, random).as_secs() / 60;
        let found: Vec<_> = (1..8).map(|tries| minutes(tries, 0)).collect();
        assert_eq!(found, [15, 30, 60, 120, 240, 240, 240]);
        assert_eq!(minutes(u32::MAX, 0), 240);
        let most = config.retry_after(1, 90_000);
        assert_eq!(most, Duration::from_secs(15 * 60 + 90), "a tenth more");
    }
}
