//! Starts a child process: [`spawn`]. Creates the pipes, runs the program, and makes connections of the parent's ends.

use std::{
    io,
    os::fd::{AsRawFd, OwnedFd, RawFd},
    path::PathBuf,
    process::{Child, Command, Stdio},
    rc::Rc,
};

use rustix::{
    fs::Access,
    io::{Errno, fcntl_dupfd_cloexec},
    process::Pid,
};
use sinew_reactor::{Excerpt, Reactor};

use super::{
    ChildFd, ChildIo, Process, ProcessConfig, ProcessProtocol,
    child_pipe::ChildPipe,
    exit_watch::{ExitDetection, Watch},
    lifecycle::Lifecycle,
    pty,
    sys::{Move, Preparation, before_exec, ignored_signals},
};
use crate::{
    ConnectConfig, Connecting, Connection, Factory, Peer, Protocol, StreamConfig,
    immediate_connect,
    pipe::{self, Descriptor, Descriptors, PipeError, open_reader, open_writer},
};

/// A program could not be started.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The program was not found.
    #[error("could not find the program {:?}", Excerpt::new(.program))]
    NotFound {
        /// The program.
        program: String,
    },
    /// The file exists, but cannot be executed: it lacks the permission, or is not a program.
    #[error("could not execute {:?}: {source}", Excerpt::new(.program))]
    NotExecutable {
        /// The program.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// The working directory does not exist, or cannot be entered.
    #[error(
        "could not start {:?} in {}: {source}",
        Excerpt::new(.program), Excerpt::path(.directory)
    )]
    BadDirectory {
        /// The program.
        program: String,
        /// The directory.
        directory: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// An additional pipe, or a descriptor that is passed, has an invalid number: a standard one, or one that is used twice.
    #[error(
        "could not start {:?}: descriptor {} of an additional pipe, or of a descriptor that is passed, is below 3 or used twice",
        Excerpt::new(.program), fd.0
    )]
    BadDescriptor {
        /// The program.
        program: String,
        /// The descriptor.
        fd: ChildFd,
    },
    /// A pseudo-terminal could not be opened.
    #[error("could not open a pseudo-terminal for {:?}: {source}", Excerpt::new(.program))]
    NoTerminal {
        /// The program.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// The system refused: too many descriptors or processes, not enough memory, or the arguments are too long.
    #[error("could not start {:?}: {source}", Excerpt::new(.program))]
    Start {
        /// The program.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// It was started, but could not be watched, and was killed.
    #[error("could not watch {:?} after starting it: {source}", Excerpt::new(.program))]
    Watch {
        /// The program.
        program: String,
        /// The cause.
        source: io::Error,
    },
}

sinew_reactor::error_debug!(SpawnError);

pub(super) fn spawn(
    reactor: &Reactor,
    protocol: Box<dyn ProcessProtocol>,
    command: Command,
    config: ProcessConfig,
    exits: ExitDetection,
) -> Result<Process, SpawnError> {
    let Watched { program, lifecycle, ends } =
        start_watched(reactor, protocol, command, &config, exits)?;
    match ends.open(reactor, &lifecycle, &config.stream) {
        Ok(()) => Ok(Process(lifecycle)),
        Err(error) => Err(kill_unusable(reactor, &lifecycle, program, error)),
    }
}

/// The process protocol of a child whose pipes are used by a connection.
struct Ignored;

impl ProcessProtocol for Ignored {}

/// Starts a program with a connection on its standard input and output.
pub(super) fn connect<P: Protocol>(
    reactor: &Reactor,
    protocol: P,
    command: Command,
) -> Result<(Connection<P>, Process), SpawnError> {
    let config = ProcessConfig::default().stderr(ChildIo::FromCommand);
    let (watched, streams) = match start_with_streams(reactor, Box::new(Ignored), command, &config)
    {
        Ok(watched) => watched,
        Err(error) => {
            reactor.defer_drop(protocol);
            return Err(error);
        }
    };
    // The program may have to write before it reads on.
    let stream = config.stream.auto_pause(false);
    let Watched { program, lifecycle, .. } = watched;
    match pipe::join(reactor, Ok(streams), Peer::Pipe, stream, protocol) {
        Ok(connection) => Ok((connection, Process(lifecycle))),
        Err(error) => Err(kill_unusable(reactor, &lifecycle, program, error)),
    }
}

/// The same for an endpoint. If standard error is piped, `protocol` receives it.
pub(crate) fn connect_with<F: Factory>(
    reactor: &Reactor,
    protocol: impl ProcessProtocol,
    command: Command,
    stderr: ChildIo,
    config: ConnectConfig,
    factory: F,
) -> Connecting<F::Protocol> {
    let stream = config.stream.clone().auto_pause(false);
    immediate_connect::connect_now(reactor, config.stream(stream), factory, move |reactor| {
        let config = ProcessConfig::default().stderr(stderr);
        let (watched, streams) = start_with_streams(reactor, Box::new(protocol), command, &config)?;
        let Watched { program, lifecycle, ends } = watched;
        let opened = ends.open(reactor, &lifecycle, &config.stream);
        let (socket, token) = opened
            .and_then(|()| pipe::registered(reactor, streams))
            .map_err(|error| kill_unusable(reactor, &lifecycle, program, error))?;
        Ok((socket, token, Peer::Pipe))
    })
}

/// Starts a program, and takes the pipes of its standard input and output.
fn start_with_streams(
    reactor: &Reactor,
    protocol: Box<dyn ProcessProtocol>,
    command: Command,
    config: &ProcessConfig,
) -> Result<(Watched, Descriptors), SpawnError> {
    let mut watched = start_watched(reactor, protocol, command, config, ExitDetection::Pidfd)?;
    let output = Descriptor::exclusive(take(&mut watched.ends.readers, ChildFd::STDOUT));
    let input = Descriptor::exclusive(take(&mut watched.ends.writers, ChildFd::STDIN));
    match pipe::both(reactor, output, input) {
        Ok(streams) => Ok((watched, streams)),
        Err(error) => Err(kill_unusable(reactor, &watched.lifecycle, watched.program, error)),
    }
}

fn take(ends: &mut Vec<(ChildFd, OwnedFd)>, fd: ChildFd) -> OwnedFd {
    let at = ends.iter().position(|(other, _)| *other == fd);
    ends.swap_remove(at.expect("standard input and output are piped")).1
}

/// A child that runs and is watched.
struct Watched {
    program: String,
    lifecycle: Rc<Lifecycle>,
    ends: Ends,
}

fn start_watched(
    reactor: &Reactor,
    protocol: Box<dyn ProcessProtocol>,
    mut command: Command,
    config: &ProcessConfig,
    exits: ExitDetection,
) -> Result<Watched, SpawnError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let started = start(reactor, &program, &mut command, config, exits);
    // The command may hold closures of the user, so the event loop drops it.
    reactor.defer_drop(command);
    let Started { child, pid, watch, mut ends } = match started {
        Ok(started) => started,
        Err(error) => {
            reactor.defer_drop(protocol);
            return Err(error);
        }
    };
    let terminal = ends.terminal.take();
    let lifecycle =
        Lifecycle::start(reactor, (child, pid, watch), protocol, terminal, config.at_stop);
    Ok(Watched { program, lifecycle, ends })
}

/// The child runs, but its pipes cannot be used: kills it.
fn kill_unusable(
    reactor: &Reactor,
    lifecycle: &Lifecycle,
    program: String,
    error: PipeError,
) -> SpawnError {
    lifecycle.abandon(reactor);
    SpawnError::Watch { program, source: io::Error::other(error) }
}

/// A child that runs, and the parent's ends of its pipes.
struct Started {
    child: Child,
    pid: Pid,
    watch: Watch,
    ends: Ends,
}

/// The parent's ends of the pipes.
#[derive(Default)]
struct Ends {
    readers: Vec<(ChildFd, OwnedFd)>,
    writers: Vec<(ChildFd, OwnedFd)>,
    terminal: Option<OwnedFd>,
}

fn start(
    reactor: &Reactor,
    program: &str,
    command: &mut Command,
    config: &ProcessConfig,
    exits: ExitDetection,
) -> Result<Started, SpawnError> {
    let failed = |source: io::Error| SpawnError::Start { program: program.to_owned(), source };
    let mut ends = Ends::default();
    match config.pty {
        Some(size) => ends
            .add_terminal(command, size)
            .map_err(|source| SpawnError::NoTerminal { program: program.to_owned(), source })?,
        None => pipe_standard(command, config),
    }
    let numbers = additional_numbers(program, config)?;
    let additional = AdditionalPipes::open(config, &numbers, &mut ends).map_err(failed)?;
    let preparation = Preparation {
        takes_terminal: config.pty.is_some(),
        signals: ignored_signals(),
        moves: additional.moves.clone(),
    };
    // Without it the standard library can use posix_spawn(3).
    if !preparation.is_empty() {
        before_exec(command, preparation);
    }
    let spawned = command.spawn();
    drop(additional);
    if config.pty.is_some() {
        // The command holds the child's side of the terminal; without this the terminal would never appear closed.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    }
    let mut child = spawned.map_err(|source| start_error(program, command, source))?;
    ends.add_standard(&mut child);
    let pid = Pid::from_child(&child);
    match Watch::open(reactor, pid, exits) {
        Ok(watch) => Ok(Started { child, pid, watch, ends }),
        Err(error) => {
            let _ = child.kill().and_then(|()| child.wait());
            Err(SpawnError::Watch { program: program.to_owned(), source: error.into() })
        }
    }
}

fn pipe_standard(command: &mut Command, config: &ProcessConfig) {
    if config.stdin == ChildIo::Piped {
        command.stdin(Stdio::piped());
    }
    if config.stdout == ChildIo::Piped {
        command.stdout(Stdio::piped());
    }
    if config.stderr == ChildIo::Piped {
        command.stderr(Stdio::piped());
    }
}

impl Ends {
    fn add_terminal(&mut self, command: &mut Command, size: super::WindowSize) -> io::Result<()> {
        let pty::Pty { master, slave } = pty::open(size)?;
        self.readers.push((ChildFd::STDOUT, master.try_clone()?));
        self.writers.push((ChildFd::STDIN, master.try_clone()?));
        self.terminal = Some(master);
        command.stdin(slave.try_clone()?).stdout(slave.try_clone()?).stderr(slave);
        Ok(())
    }

    /// Makes a connection of each, which passes its callbacks on to the protocol of the process.
    fn open(
        self,
        reactor: &Reactor,
        lifecycle: &Rc<Lifecycle>,
        stream: &StreamConfig,
    ) -> Result<(), PipeError> {
        for (fd, end) in self.writers {
            let end = Descriptor::exclusive(end).map_err(PipeError::Descriptor);
            let channel = ChildPipe { lifecycle: Rc::clone(lifecycle), fd };
            let opened = open_writer(reactor, end, stream.clone(), channel)?;
            lifecycle.add_channel(fd, opened.transport().clone());
        }
        for (fd, end) in self.readers {
            let end = Descriptor::exclusive(end).map_err(PipeError::Descriptor);
            let channel = ChildPipe { lifecycle: Rc::clone(lifecycle), fd };
            let opened = open_reader(reactor, end, stream.clone(), channel)?;
            lifecycle.add_channel(fd, opened.transport().clone());
        }
        Ok(())
    }

    /// Adds the pipes that the standard library has created.
    fn add_standard(&mut self, child: &mut Child) {
        self.writers.extend(child.stdin.take().map(|end| (ChildFd::STDIN, end.into())));
        self.readers.extend(child.stdout.take().map(|end| (ChildFd::STDOUT, end.into())));
        self.readers.extend(child.stderr.take().map(|end| (ChildFd::STDERR, end.into())));
    }
}

/// The descriptor numbers of additional pipes, checked.
fn additional_numbers(program: &str, config: &ProcessConfig) -> Result<Vec<RawFd>, SpawnError> {
    let mut numbers = Vec::new();
    let passed = config.passed.iter().map(|(fd, _)| fd);
    for fd in config.readers.iter().chain(&config.writers).chain(passed) {
        if *fd <= ChildFd::STDERR || numbers.contains(&fd.0) {
            return Err(SpawnError::BadDescriptor { program: program.to_owned(), fd: *fd });
        }
        numbers.push(fd.0);
    }
    Ok(numbers)
}

/// The child's ends of additional pipes, until the child is started.
#[derive(Default)]
struct AdditionalPipes {
    moves: Vec<Move>,
    /// The descriptors to be moved, and placeholders for their numbers, so that nothing else takes them meanwhile, such as the pipe by
    /// which the standard library reports that exec failed.
    _reserved: Vec<OwnedFd>,
}

impl AdditionalPipes {
    fn open(config: &ProcessConfig, numbers: &[RawFd], ends: &mut Ends) -> io::Result<Self> {
        let Some(above) = numbers.iter().max().map(|max| max.saturating_add(1)) else {
            return Ok(Self::default());
        };
        let (mut moves, mut reserved) = (Vec::new(), Vec::new());
        let mut add = |fd: ChildFd, end: OwnedFd| -> io::Result<()> {
            reserved.push(fcntl_dupfd_cloexec(&end, fd.0)?);
            let high = fcntl_dupfd_cloexec(&end, above)?;
            moves.push(Move { from: high.as_raw_fd(), to: fd.0 });
            reserved.push(high);
            Ok(())
        };
        for fd in &config.readers {
            let (reader, writer) = io::pipe()?;
            ends.readers.push((*fd, reader.into()));
            add(*fd, writer.into())?;
        }
        for fd in &config.writers {
            let (reader, writer) = io::pipe()?;
            ends.writers.push((*fd, writer.into()));
            add(*fd, reader.into())?;
        }
        for (fd, descriptor) in &config.passed {
            add(*fd, descriptor.try_clone()?)?;
        }
        Ok(Self { moves, _reserved: reserved })
    }
}

/// Maps the error of a start; the system has the same number for a missing program and a missing directory.
fn start_error(program: &str, command: &Command, source: io::Error) -> SpawnError {
    let program = program.to_owned();
    if let Some(directory) = command.get_current_dir() {
        let entered =
            rustix::fs::stat(directory).and_then(
                |found| match rustix::fs::FileType::from_raw_mode(found.st_mode as _) {
                    rustix::fs::FileType::Directory => {
                        rustix::fs::access(directory, Access::EXEC_OK)
                    }
                    _ => Err(Errno::NOTDIR),
                },
            );
        if let Err(error) = entered {
            let directory = directory.to_owned();
            return SpawnError::BadDirectory { program, directory, source: error.into() };
        }
    }
    match Errno::from_io_error(&source) {
        Some(Errno::NOENT | Errno::NOTDIR) => SpawnError::NotFound { program },
        Some(Errno::ACCESS | Errno::NOEXEC | Errno::ISDIR) => {
            SpawnError::NotExecutable { program, source }
        }
        _ => SpawnError::Start { program, source },
    }
}
