//! How often a service may be started: [`StartLimit`]. Pure: time is an argument.

use std::time::{Duration, Instant};

use super::entry::Limits;

/// Counts starts in windows of a fixed length.
#[derive(Debug)]
pub(super) struct StartLimit {
    limits: Limits,
    window_from: Option<Instant>,
    starts: u32,
}

impl StartLimit {
    pub(super) const fn new(limits: Limits) -> Self {
        Self { limits, window_from: None, starts: 0 }
    }

    /// Counts a start.
    ///
    /// # Errors
    ///
    /// The limit is exceeded: how long the service has to rest.
    pub(super) fn start(&mut self, now: Instant) -> Result<(), Duration> {
        let Some(max) = self.limits.starts else { return Ok(()) };
        let is_new = self
            .window_from
            .is_none_or(|from| now.saturating_duration_since(from) >= self.limits.window);
        if is_new {
            (self.window_from, self.starts) = (Some(now), 0);
        }
        if self.starts >= max {
            self.window_from = None;
            return Err(self.limits.rest);
        }
        self.starts += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sinew::reactor::Reactor;

    use super::*;

    #[test]
    fn starts_are_counted_in_windows() {
        let now = Reactor::simulated(0).now();
        let at = |seconds| now + Duration::from_secs(seconds);
        let mut limit = StartLimit::new(Limits { starts: Some(2), ..Limits::default() });
        assert_eq!((limit.start(at(0)), limit.start(at(59))), (Ok(()), Ok(())));
        // The window is over.
        assert_eq!((limit.start(at(60)), limit.start(at(61))), (Ok(()), Ok(())));
        assert_eq!(limit.start(at(62)), Err(Limits::default().rest));
        // After the rest a new window begins.
        assert_eq!(limit.start(at(662)), Ok(()));
        let mut none = StartLimit::new(Limits { starts: None, ..Limits::default() });
        assert!((0..10_000).all(|_| none.start(now).is_ok()));
    }
}
