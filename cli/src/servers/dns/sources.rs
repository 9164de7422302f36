//! Zone files and lists of names: [`Sources`] reads them at the start, and again when they change or SIGHUP comes. A file that is wrong
//! changes nothing: what was read before is served on.

use std::{
    cell::RefCell,
    collections::HashMap,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use sinew::{
    dns::{
        client::{DnsResolver, NameServer},
        codec::tsig::TsigKey,
        server::{Handled, Handler as DnsHandler, Overrides, Query, Zones},
        zone::{Zone, ZoneConfig, ZoneError, text_of_name},
    },
    prelude::Reactor,
    reactor::{Excerpt, with_causes},
    transports::reactors::Shard,
};

use super::values::ZoneFile;
use crate::servers::read_again::{Pace, Stamp};

/// The longest list of names.
const LIST_MAX: u64 = 64 << 20;

/// How much of a list is read in one turn of the loop.
const PIECE: usize = 64 << 10;

/// Names with fixed answers: a list replaces the one before as a whole.
#[derive(Clone, Default)]
pub(super) struct Blocked(Rc<RefCell<Overrides>>);

impl DnsHandler for Blocked {
    fn handle(&self, query: &Query<'_>) -> Handled {
        self.0.borrow().handle(query)
    }
}

/// What is read from files, and where it goes.
pub(super) struct Sources {
    pub(super) zones: Zones,
    pub(super) zone_files: Vec<ZoneFile>,
    pub(super) lists: Vec<PathBuf>,
    pub(super) blocked: Blocked,
    /// The servers that are told when a zone has changed.
    pub(super) notify: Vec<NameServer>,
    pub(super) notify_key: Option<TsigKey>,
    pub(super) resolver: DnsResolver,
    /// Of several reactors, the first reads the zones again, for all, and tells of what was read, in the log and to other servers. A check
    /// does not.
    pub(super) speaks: bool,
    /// The name of the service.
    pub(super) service: String,
    pub(super) every: Duration,
}

/// The zones of each service of a reactor.
#[derive(Default)]
struct Served(RefCell<HashMap<String, Zones>>);

impl Served {
    fn of(reactor: &Reactor) -> Rc<Self> {
        reactor.local()
    }
}

/// The same, once all is read.
pub(super) struct Watched {
    sources: Sources,
    seen: RefCell<HashMap<PathBuf, Stamp>>,
    pace: Pace,
}

impl ZoneFile {
    fn load(&self) -> Result<Zone, ZoneError> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let config = ZoneConfig::default().include_folder(folder.unwrap_or(Path::new(".")));
        Zone::load(&self.path, &self.origin, &config)
    }
}

impl Sources {
    /// Reads all files, which blocks.
    pub(super) fn load(self) -> Result<Rc<Watched>, String> {
        let mut seen = HashMap::new();
        let paths = self.zone_files.iter().map(|file| &file.path).chain(&self.lists);
        seen.extend(paths.filter_map(|path| Some((path.clone(), Stamp::of(path)?))));
        for file in &self.zone_files {
            let zone = file.load().map_err(|error| error.to_string())?;
            self.report(&zone, None);
            self.zones.insert(zone);
        }
        let overrides = Overrides::new();
        for path in &self.lists {
            let text =
                read_list(path).map_err(|error| format!("{}: {error}", Excerpt::path(path)))?;
            self.warn_of_unread(path, overrides.add_hosts(&text));
        }
        self.blocked.0.replace(overrides);
        Ok(Rc::new(Watched { sources: self, seen: RefCell::new(seen), pace: Pace::default() }))
    }

    /// Says which zone has come in the place of which.
    fn report(&self, zone: &Zone, old: Option<&Zone>) {
        if !self.speaks {
            return;
        }
        let (name, serial) = (text_of_name(&zone.origin()), zone.serial());
        tracing::info!(zone = name, serial, records = zone.record_count(), "a zone is loaded");
        for warning in zone.warnings() {
            tracing::warn!(zone = name, "{warning}");
        }
        let before = old.map_or(serial, Zone::serial);
        if (serial.wrapping_sub(before) as i32) < 0 {
            let what = "the serial number went back: secondary servers keep what they have";
            tracing::warn!(zone = name, serial, before, "{what}");
        }
    }

    /// Serves a zone from now on, on all reactors.
    async fn serve(&self, reactor: &Reactor, zone: Zone) {
        let zone = Arc::new(zone);
        let old = self.zones.get(&zone.origin());
        let (service, shared) = (self.service.clone(), zone.clone());
        match Shard::of(reactor) {
            Some(shard) => {
                let insert = move |shard: &Shard| {
                    if let Some(zones) = Served::of(shard.reactor()).0.borrow().get(&service) {
                        zones.insert(shared.clone());
                    }
                };
                // An error says that a reactor ends.
                let _ = shard.call_all(insert).await;
            }
            None => drop(self.zones.insert(shared)),
        }
        self.report(&zone, old.as_deref());
    }

    fn warn_of_unread(&self, path: &Path, unread: usize) {
        if unread > 0 && self.speaks {
            let list = Excerpt::path(path);
            tracing::warn!(%list, unread, "lines of a list make no sense, and are left out");
        }
    }

    /// Tells other servers of a version.
    fn notify(&self, file: &ZoneFile) {
        for server in self.notify.iter().filter(|_| self.speaks) {
            let (told, name) = (server.clone(), text_of_name(&file.origin));
            self.resolver.notify(server, &name, None, self.notify_key.clone()).then(move |_, confirmed| {
                if let Err(error) = confirmed {
                    tracing::warn!(zone = name, server = %told, error = %with_causes(&error), "a server could not be told of a new version");
                }
            });
        }
    }
}

impl Watched {
    /// Whether there are files to look at.
    pub(super) fn is_empty(&self) -> bool {
        self.sources.zone_files.is_empty() && self.sources.lists.is_empty()
    }

    /// Takes the zones that the first reactor reads again.
    pub(super) fn start(&self, reactor: &Reactor) {
        let Sources { service, zones, .. } = &self.sources;
        Served::of(reactor).0.borrow_mut().insert(service.clone(), zones.clone());
    }

    pub(super) fn stop(&self, reactor: &Reactor) {
        Served::of(reactor).0.borrow_mut().remove(&self.sources.service);
    }

    /// Reads all files now, whether they have changed or not.
    pub(super) fn force(&self) {
        self.pace.force();
    }

    /// Looks at the files again and again.
    pub(super) async fn watch(self: Rc<Self>, reactor: Reactor) {
        self.sources.zone_files.iter().for_each(|file| self.sources.notify(file));
        loop {
            let is_forced = self.pace.next(&reactor, self.sources.every).await;
            for file in self.sources.zone_files.iter().filter(|_| self.sources.speaks) {
                self.read_zone(&reactor, file, is_forced).await;
            }
            self.read_lists(&reactor, is_forced).await;
        }
    }

    /// Loads a zone in a thread, if its file has changed.
    async fn read_zone(&self, reactor: &Reactor, file: &ZoneFile, is_forced: bool) {
        let before = self.seen.borrow().get(&file.path).copied();
        let of_thread = file.clone();
        let job = reactor.defer_to_thread(move || {
            let stamp = Stamp::of(&of_thread.path);
            let has_changed = is_forced || (stamp.is_some() && stamp != before);
            has_changed.then(|| (stamp, of_thread.load()))
        });
        match job.await {
            Ok(None) => {}
            Ok(Some((stamp, loaded))) => {
                self.saw(&file.path, stamp);
                match loaded {
                    Ok(zone) => {
                        self.sources.serve(reactor, zone).await;
                        // Whichever reactor is asked for the version has it.
                        self.sources.notify(file);
                    }
                    Err(error) => tracing::error!("the zone stays as it was: {error}"),
                }
            }
            Err(error) => {
                tracing::error!(error = %with_causes(&error), "a zone file could not be looked at")
            }
        }
    }

    /// Reads the lists in a thread, if one of them has changed.
    async fn read_lists(&self, reactor: &Reactor, is_forced: bool) {
        let paths = self.sources.lists.clone();
        let before: Vec<_> =
            paths.iter().map(|path| self.seen.borrow().get(path).copied()).collect();
        let job = reactor.defer_to_thread(move || {
            let stamps: Vec<_> = paths.iter().map(|path| Stamp::of(path)).collect();
            let has_changed = is_forced || stamps != before;
            let read = |path: PathBuf| (read_list(&path), path);
            (has_changed && !paths.is_empty())
                .then(|| (stamps, paths.into_iter().map(read).collect::<Vec<_>>()))
        });
        let (stamps, texts) = match job.await {
            Ok(None) => return,
            Ok(Some(read)) => read,
            Err(error) => {
                return tracing::error!(error = %with_causes(&error), "the lists could not be looked at");
            }
        };
        let overrides = Overrides::new();
        for ((text, path), stamp) in texts.into_iter().zip(stamps) {
            self.saw(&path, stamp);
            match text {
                Ok(text) => {
                    let unread = add_in_pieces(reactor, &overrides, &text).await;
                    self.sources.warn_of_unread(&path, unread);
                }
                Err(error) => {
                    let path = Excerpt::path(&path);
                    return tracing::error!("the lists stay as they were: {path}: {error}");
                }
            }
        }
        if self.sources.speaks {
            tracing::info!(names = overrides.len(), "the lists are read again");
        }
        self.sources.blocked.0.replace(overrides);
    }

    fn saw(&self, path: &Path, stamp: Option<Stamp>) {
        let mut seen = self.seen.borrow_mut();
        match stamp {
            Some(stamp) => seen.insert(path.to_owned(), stamp),
            None => seen.remove(path),
        };
    }
}

/// Adds the lines of a list, a piece in each turn of the loop. Returns how many could not be read.
async fn add_in_pieces(reactor: &Reactor, overrides: &Overrides, text: &str) -> usize {
    let (mut unread, mut rest) = (0, text);
    while !rest.is_empty() {
        let bytes = rest.as_bytes();
        let from = PIECE.min(bytes.len());
        let line_end = bytes[from..].iter().position(|byte| *byte == b'\n');
        let end = line_end.map_or(bytes.len(), |at| from + at + 1);
        let (piece, after) = rest.split_at(end);
        unread += overrides.add_hosts(piece);
        rest = after;
        reactor.sleep(Duration::ZERO).await;
    }
    unread
}

fn read_list(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(LIST_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LIST_MAX {
        return Err(io::Error::other(format!("the list has more than {LIST_MAX} bytes")));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
