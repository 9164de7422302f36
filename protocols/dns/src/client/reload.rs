//! The reload of a resolver's files: what they say goes into [`Shared`]. The files themselves are in `files.rs`.
//!
//! Whether they have changed is asked for with a lookup, at most every five seconds: one `stat(2)` for each. A small file that has changed
//! is read at once; a large one on a thread, and until that is done the old content is used.

use std::rc::Rc;

use sinew_transports::reactor::Reactor;

use super::{hosts::HostsTable, settings::Settings, shared::Shared};

impl Shared {
    /// Reads all files for the first time.
    pub(super) fn read_files(&self, reactor: &Reactor) {
        self.hosts.replace(Rc::new(self.files.first_hosts()));
        if let Some(settings) = self.files.first_settings() {
            self.set_settings(reactor, settings);
        }
    }

    /// Reads what has changed.
    pub(super) fn refresh(self: &Rc<Self>, reactor: &Reactor) {
        if !self.files.is_due(reactor.now()) {
            return;
        }
        if let Some(settings) = self.files.changed_settings() {
            self.set_settings(reactor, settings);
        }
        let Some(hosts) = self.files.changed_hosts() else { return };
        if hosts.is_small() {
            self.set_hosts(hosts.read());
        } else {
            let weak = Rc::downgrade(self);
            reactor.defer_to_thread(move || hosts.read()).then(move |_, table| {
                if let (Some(shared), Ok(table)) = (weak.upgrade(), table) {
                    shared.set_hosts(table);
                }
            });
        }
    }

    fn set_settings(&self, reactor: &Reactor, file: Settings) {
        let settings = self.config.settings_over(file);
        if settings == **self.settings.borrow() {
            return;
        }
        self.servers.set(reactor, &settings.servers);
        self.settings.replace(Rc::new(settings));
        // Other servers may know other names.
        self.cache.borrow_mut().clear();
        self.addresses.borrow_mut().clear();
    }

    fn set_hosts(&self, table: Option<HostsTable>) {
        if let Some(table) = table {
            self.hosts.replace(Rc::new(table));
            self.addresses.borrow_mut().clear();
        }
    }
}
