//! How a child is started: [`spawn`]. The descriptors are made, the program is begun, and what is the parent's becomes connections.

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
    exit_watch::{Exits, Watch},
    lifecycle::Life,
    pty,
    sys::{Move, before_exec},
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
    /// There is no such program.
    #[error("could not find the program {:?}", Excerpt::new(.program))]
    NotFound {
        /// The program.
        program: String,
    },
    /// There is such a file, but it cannot be executed: it is not marked so, or not a program.
    #[error("{:?} cannot be executed: {source}", Excerpt::new(.program))]
    NotExecutable {
        /// The program.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// The directory that it was to be started in is none, or cannot be entered.
    #[error(
        "{:?} cannot be started in {}: {source}",
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
    /// A further descriptor has a number that it cannot have: one of the standard ones, or one that is asked for twice.
    #[error("{:?} cannot have a further pipe at descriptor {}", Excerpt::new(.program), fd.0)]
    BadDescriptor {
        /// The program.
        program: String,
        /// The descriptor.
        fd: ChildFd,
    },
    /// There is no terminal for it.
    #[error("there is no terminal for {:?}: {source}", Excerpt::new(.program))]
    NoTerminal {
        /// The program.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// The system has no room for it: no descriptors, no processes, no memory; or its arguments are too long.
    #[error("{:?} cannot be started: {source}", Excerpt::new(.program))]
    Start {
        /// The program.
        program: String,
        /// The cause.
        source: io::Error,
    },
    /// It could be started, but not watched, and was killed.
    #[error("{:?} cannot be watched: {source}", Excerpt::new(.program))]
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
    exits: Exits,
) -> Result<Process, SpawnError> {
    let Begun { program, life, ends } = begin(reactor, protocol, command, &config, exits)?;
    match ends.open(reactor, &life, &config.stream) {
        Ok(()) => Ok(Process(life)),
        Err(error) => Err(give_up(reactor, &life, program, error)),
    }
}

/// Of a child whose pipes are somebody else's business.
struct Unheard;

impl ProcessProtocol for Unheard {}

/// Starts a program whose standard input and output are one connection.
pub(super) fn connect<P: Protocol>(
    reactor: &Reactor,
    protocol: P,
    command: Command,
) -> Result<(Connection<P>, Process), SpawnError> {
    let config = ProcessConfig::default().stderr(ChildIo::AsCommanded);
    let (begun, streams) = match dial(reactor, Box::new(Unheard), command, &config) {
        Ok(dialled) => dialled,
        Err(error) => {
            reactor.defer_drop(protocol);
            return Err(error);
        }
    };
    // It may have to write before it reads on.
    let stream = config.stream.auto_pause(false);
    let Begun { program, life, .. } = begun;
    match pipe::join(reactor, Ok(streams), Peer::Pipe, stream, protocol) {
        Ok(connection) => Ok((connection, Process(life))),
        Err(error) => Err(give_up(reactor, &life, program, error)),
    }
}

/// The same for an endpoint. If standard error is piped, `protocol` is told what comes there.
pub(crate) fn connect_with<F: Factory>(
    reactor: &Reactor,
    protocol: impl ProcessProtocol,
    command: Command,
    stderr: ChildIo,
    config: ConnectConfig,
    factory: F,
) -> Connecting<F::Protocol> {
    let stream = config.stream.clone().auto_pause(false);
    immediate_connect::at_once(reactor, config.stream(stream), factory, move |reactor| {
        let config = ProcessConfig::default().stderr(stderr);
        let (begun, streams) = dial(reactor, Box::new(protocol), command, &config)?;
        let Begun { program, life, ends } = begun;
        let opened = ends.open(reactor, &life, &config.stream);
        let (socket, token) = opened
            .and_then(|()| pipe::registered(reactor, streams))
            .map_err(|error| give_up(reactor, &life, program, error))?;
        Ok((socket, token, Peer::Pipe))
    })
}

/// Starts a program, and takes its standard input and output out of what its parent has of it.
fn dial(
    reactor: &Reactor,
    protocol: Box<dyn ProcessProtocol>,
    command: Command,
    config: &ProcessConfig,
) -> Result<(Begun, Descriptors), SpawnError> {
    let mut begun = begin(reactor, protocol, command, config, Exits::ByDescriptor)?;
    let output = Descriptor::own(take(&mut begun.ends.readers, ChildFd::STDOUT));
    let input = Descriptor::own(take(&mut begun.ends.writers, ChildFd::STDIN));
    match pipe::both(reactor, output, input) {
        Ok(streams) => Ok((begun, streams)),
        Err(error) => Err(give_up(reactor, &begun.life, begun.program, error)),
    }
}

fn take(ends: &mut Vec<(ChildFd, OwnedFd)>, fd: ChildFd) -> OwnedFd {
    let at = ends.iter().position(|(other, _)| *other == fd);
    ends.swap_remove(at.expect("standard input and output are piped")).1
}

/// A child that runs, and is watched.
struct Begun {
    program: String,
    life: Rc<Life>,
    ends: Ends,
}

fn begin(
    reactor: &Reactor,
    protocol: Box<dyn ProcessProtocol>,
    mut command: Command,
    config: &ProcessConfig,
    exits: Exits,
) -> Result<Begun, SpawnError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let started = start(reactor, &program, &mut command, config, exits);
    // It may have closures of the user's, whose drop is user code.
    reactor.defer_drop(command);
    let Started { child, pid, watch, mut ends } = match started {
        Ok(started) => started,
        Err(error) => {
            reactor.defer_drop(protocol);
            return Err(error);
        }
    };
    let terminal = ends.terminal.take();
    let life = Life::begin(reactor, (child, pid, watch), protocol, terminal, config.at_stop);
    Ok(Begun { program, life, ends })
}

/// It runs, but its pipes are of no use.
fn give_up(reactor: &Reactor, life: &Life, program: String, error: PipeError) -> SpawnError {
    life.abandon(reactor);
    SpawnError::Watch { program, source: io::Error::other(error) }
}

/// A child that runs, and what its parent has of it.
struct Started {
    child: Child,
    pid: Pid,
    watch: Watch,
    ends: Ends,
}

/// The parent's ends.
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
    exits: Exits,
) -> Result<Started, SpawnError> {
    let failed = |source: io::Error| SpawnError::Start { program: program.to_owned(), source };
    let mut ends = Ends::default();
    match config.pty {
        Some(size) => ends
            .add_terminal(command, size)
            .map_err(|source| SpawnError::NoTerminal { program: program.to_owned(), source })?,
        None => pipe_standard(command, config),
    }
    let numbers = further_numbers(program, config)?;
    let further = Further::open(config, &numbers, &mut ends).map_err(failed)?;
    if config.pty.is_some() || !further.moves.is_empty() {
        before_exec(command, config.pty.is_some(), further.moves.clone());
    }
    let spawned = command.spawn();
    drop(further);
    if config.pty.is_some() {
        // The command has the child's side of the terminal, which would never seem closed.
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    }
    let mut child = spawned.map_err(|source| explain(program, command, source))?;
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

    /// Makes connections of them, each of which passes on to the protocol of the process.
    fn open(
        self,
        reactor: &Reactor,
        life: &Rc<Life>,
        stream: &StreamConfig,
    ) -> Result<(), PipeError> {
        for (fd, end) in self.writers {
            let end = Descriptor::own(end).map_err(PipeError::Descriptor);
            let channel = ChildPipe { life: Rc::clone(life), fd };
            let opened = open_writer(reactor, end, stream.clone(), channel)?;
            life.add_channel(fd, opened.transport().clone());
        }
        for (fd, end) in self.readers {
            let end = Descriptor::own(end).map_err(PipeError::Descriptor);
            let channel = ChildPipe { life: Rc::clone(life), fd };
            let opened = open_reader(reactor, end, stream.clone(), channel)?;
            life.add_channel(fd, opened.transport().clone());
        }
        Ok(())
    }

    /// The pipes that the library has made.
    fn add_standard(&mut self, child: &mut Child) {
        self.writers.extend(child.stdin.take().map(|end| (ChildFd::STDIN, end.into())));
        self.readers.extend(child.stdout.take().map(|end| (ChildFd::STDOUT, end.into())));
        self.readers.extend(child.stderr.take().map(|end| (ChildFd::STDERR, end.into())));
    }
}

/// The numbers of the further descriptors, checked.
fn further_numbers(program: &str, config: &ProcessConfig) -> Result<Vec<RawFd>, SpawnError> {
    let mut numbers = Vec::new();
    for fd in config.readers.iter().chain(&config.writers) {
        if *fd <= ChildFd::STDERR || numbers.contains(&fd.0) {
            return Err(SpawnError::BadDescriptor { program: program.to_owned(), fd: *fd });
        }
        numbers.push(fd.0);
    }
    Ok(numbers)
}

/// The child's ends of further pipes, until it has them.
#[derive(Default)]
struct Further {
    moves: Vec<Move>,
    /// What is to be moved; and what keeps the numbers from being used meanwhile, as by the pipe on which the library hears
    /// whether the program could be executed.
    _held: Vec<OwnedFd>,
}

impl Further {
    fn open(config: &ProcessConfig, numbers: &[RawFd], ends: &mut Ends) -> io::Result<Self> {
        let Some(above) = numbers.iter().max().map(|max| max.saturating_add(1)) else {
            return Ok(Self::default());
        };
        let (mut moves, mut held) = (Vec::new(), Vec::new());
        let mut add = |fd: ChildFd, end: OwnedFd| -> io::Result<()> {
            held.push(fcntl_dupfd_cloexec(&end, fd.0)?);
            let high = fcntl_dupfd_cloexec(&end, above)?;
            moves.push(Move { from: high.as_raw_fd(), to: fd.0 });
            held.push(high);
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
        Ok(Self { moves, _held: held })
    }
}

/// Says what was wrong; the system has one number for a program and a directory that are not there.
fn explain(program: &str, command: &Command, source: io::Error) -> SpawnError {
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
