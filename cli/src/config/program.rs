//! What a process is to do: [`Program`], services and the options of the process around them.

use std::{
    collections::HashMap,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::Arc,
};

use sinew::reactor::Excerpt;

use super::Problem;
use crate::{
    arguments::{
        InspectOptions, Limits, ListenOptions, LogFormat, LogOptions, Options, ProcessOptions,
        ReactorOptions,
    },
    exit::{Code, Failure},
    run::{ServerCommand, TlsUse},
};

/// Services, and the process in which they run.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) services: Vec<Planned>,
    pub(crate) reactor: ReactorOptions,
    pub(crate) log: LogOptions,
    pub(crate) process: ProcessOptions,
    pub(crate) inspect: InspectOptions,
    /// What is probably a mistake in the file that it was read from.
    pub(crate) warnings: Vec<Problem>,
}

/// One service, not made yet.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) name: String,
    pub(crate) server: Arc<dyn ServerCommand>,
    pub(crate) listen: ListenOptions,
    pub(crate) limits: Limits,
    /// Of the files that it reads, to notice that they changed.
    files: u64,
}

impl Planned {
    pub(crate) fn new(
        name: &str,
        server: Box<dyn ServerCommand>,
        listen: ListenOptions,
        limits: Limits,
    ) -> Self {
        let files = hash_of_files(&server.files());
        Self { name: name.to_owned(), server: server.into(), listen, limits, files }
    }

    /// Where it has certificates.
    pub(crate) fn tls(&self) -> TlsUse {
        self.server.tls(&self.listen.listen)
    }

    /// Whether both would do the same.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let own = |planned: &Self| format!("{:?}", planned.server);
        (&self.name, &self.listen, &self.limits, self.files)
            == (&other.name, &other.listen, &other.limits, other.files)
            && own(self) == own(other)
    }
}

impl Program {
    /// One service, by the command line.
    pub(crate) fn of_command(
        name: &str,
        server: Box<dyn ServerCommand>,
        options: Options,
    ) -> Result<Self, Failure> {
        let Options { listen, limits, reactor, log, process, inspect } = options;
        let services = vec![Planned::new(name, server, listen, limits)];
        let warnings = Vec::new();
        let mut this = Self { services, reactor, log, process, inspect, warnings };
        if let Some((_, text)) = this.contradictions().into_iter().next() {
            return Err(Failure::new(Code::Usage, text));
        }
        this.make_paths_absolute()?;
        Ok(this)
    }

    /// What does not go together: the place in the file, and the text.
    pub(crate) fn contradictions(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.log.format == LogFormat::Journald && self.log.file.is_some() {
            found.push(("log", "the log goes to the journal or to a file, not to both".to_owned()));
        }
        let mut places: HashMap<&str, &str> = HashMap::new();
        for planned in &self.services {
            for endpoint in &planned.listen.listen {
                let at = endpoint.text.as_str();
                if let Some(other) = places.insert(at, &planned.name)
                    && !allows_two(at)
                {
                    let (name, at) = (Excerpt::new(&planned.name), Excerpt::new(at));
                    let text =
                        format!("{at} is taken twice: by {} and by {name}", Excerpt::new(other));
                    found.push(("services", text));
                }
            }
        }
        found
    }

    /// Paths keep their meaning when the working directory changes. With a new root directory, they begin there.
    fn make_paths_absolute(&mut self) -> Result<(), Failure> {
        if self.process.chroot.is_some() || self.process.chdir.is_some() {
            return Ok(());
        }
        [&mut self.process.pidfile, &mut self.log.file].into_iter().flatten().try_for_each(absolute)
    }
}

/// Every port 0 is another port, and inherited sockets may be used twice.
fn allows_two(endpoint: &str) -> bool {
    endpoint.split(':').any(|field| field == "0")
}

fn absolute(path: &mut PathBuf) -> Result<(), Failure> {
    *path = std::path::absolute(&path).map_err(|error| {
        Failure::io(Code::System, format!("cannot find {}", Excerpt::path(path)), &error)
    })?;
    Ok(())
}

fn hash_of_files(paths: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let contents = |path: &Path| fs::read(path).ok();
    paths.iter().for_each(|path| (path, contents(path)).hash(&mut hasher));
    hasher.finish()
}
