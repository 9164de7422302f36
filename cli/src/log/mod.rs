//! The log of a server: what `tracing` events become, and where they go. The event loops format a message and pass it to a thread,
//! which writes it; they never wait for a disk or a terminal.
//!
//! ```text
//! tracing event ── Layer: text, json or journald ──> bounded queue ──> writer thread: standard error, file or journal
//! ```

mod file;
mod layer;
mod record;
mod writer;

use std::{io::IsTerminal, os::unix::net::UnixDatagram, sync::Arc};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Registry, layer::SubscriberExt, reload};

use crate::{
    arguments::{LogFormat, LogOptions},
    exit::{Code, Failure},
};
use file::LogFile;
use layer::{Format, Formatting, LogLayer};
use writer::{Sink, Writer};

/// Where journald receives messages in its own format: systemd.journal-fields(7), "Native Journal Protocol".
const JOURNAL_SOCKET: &str = "/run/systemd/journal/socket";

/// The user and the group that a new log file belongs to.
pub(crate) type Owner = Option<(u32, u32)>;

/// The log. Its clones are the same log.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    level: reload::Handle<LevelFilter, Registry>,
    formatting: Arc<Formatting>,
    writer: Writer,
}

/// What has to be found before the root directory changes.
#[derive(Debug, Default)]
pub(crate) struct Journal(Option<UnixDatagram>);

impl Journal {
    /// Connects to the journal, if the log goes there.
    pub(crate) fn connect(options: &LogOptions) -> Result<Self, Failure> {
        if options.format != LogFormat::Journald {
            return Ok(Self::default());
        }
        let connect = || {
            let socket = UnixDatagram::unbound()?;
            socket.connect(JOURNAL_SOCKET)?;
            Ok(socket)
        };
        connect().map(|socket| Self(Some(socket))).map_err(|error: std::io::Error| {
            let text = format!("cannot reach the journal at {JOURNAL_SOCKET}");
            Failure::io(Code::Unavailable, text, &error)
        })
    }
}

impl Log {
    /// Starts the log and its thread. All events of the process go there from now on.
    pub(crate) fn start(
        options: &LogOptions,
        journal: Journal,
        owner: Owner,
    ) -> Result<Self, Failure> {
        let sink = sink(options, journal, owner)?;
        let formatting = Arc::new(Formatting::new(format(options)));
        let writer = Writer::start(sink).map_err(|error| {
            Failure::io(Code::System, "cannot start the thread of the log", &error)
        })?;
        let (filter, level) = reload::Layer::new(options.level.0);
        let layer = LogLayer::new(formatting.clone(), writer.clone());
        let subscriber = Registry::default().with(filter).with(layer);
        // A second log in one process is one of a test, which sees the first.
        let _ = tracing::subscriber::set_global_default(subscriber);
        log_panics();
        Ok(Self { level, formatting, writer })
    }

    /// Uses other options. If a file cannot be opened, nothing has changed.
    pub(crate) fn reload(&self, options: &LogOptions) -> Result<(), Failure> {
        let journal = Journal::connect(options)?;
        self.writer.replace(sink(options, journal, None)?);
        self.formatting.set(format(options));
        let _ = self.level.reload(options.level.0);
        Ok(())
    }

    /// Renames the log file and begins a new one; if somebody else has renamed it, only begins a new one.
    pub(crate) fn rotate(&self) {
        self.writer.rotate();
    }

    /// Waits until everything is written, but not forever.
    pub(crate) fn flush(&self) {
        self.writer.flush();
    }
}

/// A log for the commands that are no servers: warnings, on standard error.
pub(crate) fn start_quietly() {
    let options =
        LogOptions { level: crate::arguments::Level(LevelFilter::WARN), ..LogOptions::default() };
    if let Err(failure) = Log::start(&options, Journal::default(), None) {
        eprintln!("sinew: {failure}");
    }
}

fn sink(options: &LogOptions, journal: Journal, owner: Owner) -> Result<Sink, Failure> {
    if let Some(socket) = journal.0 {
        return Ok(Sink::Journal(socket));
    }
    match &options.file {
        Some(path) => Ok(Sink::File(LogFile::open(path, options.max_size.0, options.keep, owner)?)),
        None => Ok(Sink::StandardError),
    }
}

fn format(options: &LogOptions) -> Format {
    match options.format {
        LogFormat::Json => Format::Json,
        LogFormat::Journald => Format::Journald,
        LogFormat::Text => Format::Text { colour: options.file.is_none() && colour_is_wanted() },
    }
}

/// Colour is for terminals, and only if `NO_COLOR` is empty or not set (no-color.org).
pub(crate) fn colour_is_wanted() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && std::io::stderr().is_terminal()
}

/// The panic hook of the standard library prints to standard error, which is lost in the background.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let payload = panic.payload();
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        let text = text.unwrap_or("without a text");
        tracing::error!(place, text, "a panic");
    }));
}
