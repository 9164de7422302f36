//! The log of failed logins: [`LoginLog`]. Its lines have the target `sinew::login`, and never a secret. How many there are is bounded, so
//! that a flood of logins does not flood the log.

use std::{
    cell::RefCell,
    fmt,
    net::IpAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use sinew_transports::reactor::{Excerpt, Reactor};

use crate::{AuthError, Channel};

/// The target of all lines.
const TARGET: &str = "sinew::login";

/// Most lines of each kind in [`PERIOD`]. What is above is counted, and the count is logged.
const LINES_MAX: usize = 100;
const PERIOD: Duration = Duration::from_secs(10);

/// Longest name of a user that is shown, in characters.
const USER_MAX: usize = 64;

/// Who tries to log in, where and how, as far as it is known.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    service: Option<&'static str>,
    peer: Option<IpAddr>,
    user: Option<String>,
    mechanism: Option<&'static str>,
}

/// Why a login failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Refused,
    Unavailable,
    NotAuthorized,
    ChannelBinding,
}

/// What is refused unchecked from now on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LockedOut {
    pub(crate) address: bool,
    pub(crate) user: bool,
}

/// Writes the lines. A handle: clones are the same log, and share the bound.
#[derive(Clone, Default)]
pub(crate) struct LoginLog(Rc<RefCell<Budgets>>);

#[derive(Default)]
struct Budgets {
    failures: Budget,
    lockouts: Budget,
    /// A timer runs that logs what was left out.
    will_report: bool,
}

/// How many lines are left.
#[derive(Default)]
struct Budget {
    begin: Option<Instant>,
    lines: usize,
    left_out: usize,
}

impl Login {
    pub(crate) fn new(channel: &Channel, user: &str, mechanism: Option<&'static str>) -> Self {
        Self {
            service: channel.service_name(),
            // An address of IPv4 is shown as one, also if the socket is one of IPv6: filters know no other form.
            peer: channel.address().map(|address| address.to_canonical()),
            user: (!user.is_empty()).then(|| Excerpt::new(user).len_max(USER_MAX).to_string()),
            mechanism: channel.mechanism_name().or(mechanism),
        }
    }
}

impl Reason {
    const fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Unavailable => "unavailable",
            Self::NotAuthorized => "not-authorized",
            Self::ChannelBinding => "channel-binding",
        }
    }
}

impl LoginLog {
    /// A login has failed.
    pub(crate) fn failed(&self, reactor: &Reactor, login: &Login, reason: Reason) {
        if !self.0.borrow_mut().failures.take(reactor.now()) {
            return self.report_later(reactor);
        }
        tracing::info!(
            target: TARGET,
            service = login.service,
            peer = login.peer.map(tracing::field::display),
            user = login.user,
            mechanism = login.mechanism,
            reason = reason.name(),
            "a login failed"
        );
    }

    /// An error that says that nothing could be checked. What is refused during a lockout has no line: its beginning had one.
    pub(crate) fn unavailable(&self, reactor: &Reactor, login: &Login, error: &AuthError) {
        if matches!(error, AuthError::Unavailable(_)) {
            self.failed(reactor, login, Reason::Unavailable);
        }
    }

    /// Logins of this address or user are refused unchecked for this time.
    pub(crate) fn locked_out(
        &self,
        reactor: &Reactor,
        login: &Login,
        locked_out: LockedOut,
        window: Duration,
    ) {
        let which = [(locked_out.address, "address"), (locked_out.user, "user")];
        for (_, which) in which.into_iter().filter(|(is_it, _)| *is_it) {
            if !self.0.borrow_mut().lockouts.take(reactor.now()) {
                self.report_later(reactor);
                continue;
            }
            tracing::warn!(
                target: TARGET,
                service = login.service,
                peer = login.peer.map(tracing::field::display),
                user = login.user,
                locked_out = which,
                seconds = window.as_secs(),
                "too many logins failed"
            );
        }
    }

    /// Says after the period how many lines there were not.
    fn report_later(&self, reactor: &Reactor) {
        if std::mem::replace(&mut self.0.borrow_mut().will_report, true) {
            return;
        }
        let this = self.clone();
        reactor.call_later(PERIOD, move |_| {
            let mut budgets = this.0.borrow_mut();
            budgets.will_report = false;
            let failures = std::mem::take(&mut budgets.failures.left_out);
            let lockouts = std::mem::take(&mut budgets.lockouts.left_out);
            drop(budgets);
            tracing::warn!(
                target: TARGET,
                failures,
                lockouts,
                "more logins failed than are logged one by one"
            );
        });
    }
}

impl Budget {
    /// Whether there is a line left.
    fn take(&mut self, now: Instant) -> bool {
        let is_over = self.begin.is_none_or(|begin| now.saturating_duration_since(begin) >= PERIOD);
        if is_over {
            (self.begin, self.lines) = (Some(now), 0);
        }
        let is_left = self.lines < LINES_MAX;
        if is_left {
            self.lines += 1;
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
        is_left
    }
}

impl fmt::Debug for LoginLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginLog").finish_non_exhaustive()
    }
}
