//! How archives are read and written: the store is called from the loop, without a borrow, and never twice at a time for an archive.

use std::{
    rc::{Rc, Weak},
    sync::Arc,
};

use sinew_transports::reactor::{Excerpt, Reactor};

use super::{
    archive::{ArchiveConfig, Job, Wanted},
    xmpp_server::Core,
};

impl Core {
    /// Begins what archives have to do, as far as the limits allow.
    pub(super) fn work_on_archives(&self, reactor: &Reactor) {
        loop {
            let next = self.domain.borrow_mut().archives.next();
            let Some((archive, job)) = next else { return };
            let running = Running { core: self.this.clone(), archive, job, is_done: false };
            // What is user code is called from the loop, so that its panics are not those of a connection.
            reactor.call_soon(move |reactor| {
                if let Some(core) = running.core.upgrade()
                    && let Some(config) = core.config.archive.clone()
                {
                    running.begin(reactor, &config);
                }
            });
        }
    }

    fn archive_done(&self, reactor: &Reactor, archive: &Rc<str>, job: &Job, is_done: bool) {
        let again = self.domain.borrow_mut().archives.done(archive, job, is_done);
        if let Some(after) = again {
            let (this, archive) = (self.this.clone(), Rc::clone(archive));
            reactor.call_later(after, move |reactor| {
                if let Some(core) = this.upgrade() {
                    core.with(reactor, |domain| domain.archives.retry(Some(&archive)));
                }
            });
        }
        self.with(reactor, |_| ());
    }
}

/// A job of an archive. If the store panics, or forgets its promise, it has failed.
struct Running {
    core: Weak<Core>,
    archive: Rc<str>,
    job: Job,
    is_done: bool,
}

impl Running {
    fn begin(self, reactor: &Reactor, config: &ArchiveConfig) {
        let limits = config.limits(reactor.wall_clock());
        let archive = Rc::clone(&self.archive);
        let question = match &self.job {
            Job::Append(messages, _) => {
                let appended = config.store.append(reactor, &archive, Arc::clone(messages), limits);
                return appended.then(move |reactor, appended| {
                    self.end(reactor, appended.map_err(|error| error.to_string()), |_, _| ());
                });
            }
            Job::Answer(question) => (**question).clone(),
        };
        match question.wanted.clone() {
            Wanted::Page(query, name) => {
                let page = config.store.page(reactor, &archive, query, limits);
                page.then(move |reactor, page| {
                    self.end(reactor, page.map_err(|error| error.to_string()), |this, page| {
                        this.with(reactor, |domain| {
                            domain.page_read(&this.archive, &question, name.as_deref(), page);
                        });
                    });
                });
            }
            Wanted::Span => {
                let span = config.store.span(reactor, &archive, limits);
                span.then(move |reactor, span| {
                    self.end(reactor, span.map_err(|error| error.to_string()), |this, span| {
                        this.with(reactor, |domain| domain.span_read(&question, span));
                    });
                });
            }
        }
    }

    fn with(&self, reactor: &Reactor, f: impl FnOnce(&mut super::domain::Domain)) {
        if let Some(core) = self.core.upgrade() {
            core.with(reactor, f);
        }
    }

    /// The store has answered.
    fn end<T>(mut self, reactor: &Reactor, result: Result<T, String>, then: impl FnOnce(&Self, T)) {
        self.is_done = true;
        let is_done = result.is_ok();
        match result {
            Ok(found) => then(&self, found),
            Err(error) => self.failed(reactor, &error),
        }
        if let Some(core) = self.core.upgrade() {
            core.archive_done(reactor, &self.archive, &self.job, is_done);
        }
    }

    fn failed(&self, reactor: &Reactor, error: &str) {
        let account = Excerpt::new(&*self.archive);
        match &self.job {
            Job::Append(..) => {
                tracing::error!(%account, error, "messages were not archived; it will be tried again");
            }
            Job::Answer(question) => {
                tracing::error!(%account, error, "an archive of messages was not read");
                self.with(reactor, |domain| domain.archive_unread(question));
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(core) = self.core.upgrade().filter(|_| !self.is_done) else { return };
        let Some(reactor) = core.reactor.upgrade() else { return };
        let job = std::mem::replace(&mut self.job, Job::Append(Arc::default(), 0));
        let failed = Self {
            core: self.core.clone(),
            archive: Rc::clone(&self.archive),
            job,
            // It is the last of this job, whatever happens to the call.
            is_done: true,
        };
        reactor.call_soon(move |reactor| {
            failed.end::<()>(reactor, Err("the store has panicked".to_owned()), |_, ()| ());
        });
    }
}
