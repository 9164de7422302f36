//! `sinew inetd`: listens for many services, and starts a program for each connection. It reads inetd.conf, and of xinetd.conf the part
//! that overlaps.
//!
//! `conf.rs` and `xinetd.rs` read files into entries (`entry.rs`), pure; `running.rs` makes the services what the entries say; `port.rs` is
//! one that is a program, on a socket of `socket.rs`, and `start_limit.rs` its limit against loops.

mod conf;
mod entry;
mod identity;
mod port;
mod running;
mod socket;
mod start_limit;
mod xinetd;

use std::{
    cell::RefCell,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    rc::Rc,
};

use serde::Deserialize;
use sinew::{
    application::{Service, StartError, StopError},
    prelude::*,
    reactor::Excerpt,
};

use super::{listens_nowhere::listens_nowhere, read_again::OnHangup};
use crate::run::{Context, ServerCommand};
use conf::FILE_MAX;
use entry::{Entry, ServiceNames};
use running::RunningServices;

/// The arguments of `sinew inetd`.
#[derive(Clone, Debug, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Inetd {
    /// The services, in the syntax of inetd.conf or of xinetd.conf
    #[arg(value_name = "FILE", default_value = DEFAULT_FILE)]
    pub(crate) file: PathBuf,
}

const DEFAULT_FILE: &str = "/etc/inetd.conf";

/// Ports by name, services(5).
const SERVICES: &str = "/etc/services";

impl Default for Inetd {
    fn default() -> Self {
        Self { file: DEFAULT_FILE.into() }
    }
}

impl ServerCommand for Inetd {
    fn service(&self, context: &Context) -> Result<Box<dyn Service>, StartError> {
        listens_nowhere(context, "inetd")?;
        let entries = read(&self.file).map_err(StartError::other)?;
        running::check(&entries).map_err(StartError::other)?;
        let reload = Reload { file: self.file.clone(), services: Rc::default() };
        Ok(Box::new(InetdService { entries, reload: Rc::new(reload), hangup: RefCell::default() }))
    }

    fn on_all_reactors(&self) -> bool {
        false
    }
}

/// Reads a file of either syntax.
fn read(path: &Path) -> Result<Vec<Entry>, String> {
    let shown = Excerpt::path(path).to_string();
    let text = read_text(path).map_err(|error| format!("{shown}: {error}"))?;
    // Without it, names are those of the library.
    let names = ServiceNames::parse(&read_text(Path::new(SERVICES)).unwrap_or_default());
    let parse = if xinetd::is_xinetd(&text) { xinetd::parse } else { conf::parse };
    parse(&shown, &text, &names).map_err(|error| error.to_string())
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_MAX {
        return Err(io::Error::other(format!("the file has more than {FILE_MAX} bytes")));
    }
    Ok(text)
}

/// The services, on one reactor.
struct InetdService {
    entries: Vec<Entry>,
    reload: Rc<Reload>,
    hangup: RefCell<Option<OnHangup>>,
}

impl Service for InetdService {
    fn privileged_start(&self, reactor: &Reactor) -> Result<(), StartError> {
        self.reload.services.open(reactor, &self.entries).map_err(StartError::other)
    }

    fn start(&self, reactor: &Reactor) -> Result<(), StartError> {
        let reload = self.reload.clone();
        let hangup = OnHangup::call(reactor, "inetd: reading its file again", move |reactor| {
            reload.read(reactor);
        })?;
        *self.hangup.borrow_mut() = Some(hangup);
        Ok(())
    }

    fn stop(&self, reactor: &Reactor) -> Deferred<(), StopError> {
        drop(self.hangup.take());
        self.reload.services.close(reactor);
        Deferred::ready_on(reactor, ())
    }
}

/// Reads the file again at SIGHUP. With a mistake in it, nothing changes.
struct Reload {
    file: PathBuf,
    services: Rc<RunningServices>,
}

impl Reload {
    fn read(&self, reactor: &Reactor) {
        match read(&self.file) {
            Ok(entries) => {
                self.services.become_these(reactor, entries);
                tracing::info!(file = %Excerpt::path(&self.file), "read again");
            }
            Err(error) => tracing::error!("nothing is changed: {error}"),
        }
    }
}
