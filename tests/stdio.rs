//! Standard input and output as a transport, on every engine. They are per process, so each scenario starts this
//! binary again with other descriptors 0 and 1; in that process, the test `child` plays the program.

#![cfg(unix)]

#[path = "support/lost_name.rs"]
mod lost_name;
#[path = "support/watchdog.rs"]
mod watchdog;

use std::{
    cell::RefCell,
    env,
    fs::{self, File},
    io::{self, Read, Seek, Write},
    os::{fd::AsFd, unix::net::UnixStream},
    process::{Child, Command, Stdio},
    rc::Rc,
    time::Duration,
};

use lost_name::lost_name;
use rustix::fs::{OFlags, fcntl_getfl};
use sinew::{prelude::*, transports::WindowSize};
use watchdog::Watchdog;

/// Environment variable for the child: the engine, and the action.
const ROLE: &str = "SINEW_STDIO_CHILD";

/// Marks the end of the test harness's output on the child's standard output.
const BEGIN: &str = "<begin>";

const FLOOD: usize = 3 << 20;

/// Answers in upper case; ends at EOF, or immediately after sending a lot of data.
struct Upper {
    floods: bool,
    heard: usize,
    lost: Rc<RefCell<String>>,
}

impl Protocol for Upper {
    fn connection_made(&mut self, transport: &Transport) {
        assert_eq!(transport.peer(), Peer::Stdio);
        transport.write(BEGIN.as_bytes());
        if self.floods {
            transport.write(&vec![b'x'; FLOOD]);
            transport.lose_connection();
        }
    }

    fn data_received(&mut self, transport: &Transport, data: &[u8]) {
        self.heard += data.len();
        transport.write(&data.to_ascii_uppercase());
    }

    fn connection_lost(&mut self, transport: &Transport, reason: &ConnectionLost) {
        *self.lost.borrow_mut() = lost_name(reason);
        eprintln!("heard {} bytes", self.heard);
        let _ = transport.reactor().unwrap().stop();
    }
}

/// The program, in the child processes; does nothing in the main process.
#[test]
fn child() {
    let Ok(role) = env::var(ROLE) else { return };
    let (engine, role) = role.split_once(' ').expect("an engine and a role");
    let _watchdog = Watchdog::new(format!("the child, {role} on {engine}"));
    let reactor = Reactor::builder().engine(engine.parse().unwrap()).build().unwrap();
    let lost = Rc::<RefCell<String>>::default();
    let protocol = Upper { floods: role == "flood", heard: 0, lost: lost.clone() };
    reactor.stdio(protocol).expect("they are open");
    let reactor = if role == "fork" { drop_in_child(reactor) } else { reactor };
    reactor.run().unwrap();
    // The descriptor number is taken, but not usable.
    println!("after the end");
    eprintln!("<{}>", lost.borrow());
}

/// Makes a child of fork(2) drop its copy once connected, and report that on its standard output.
fn drop_in_child(reactor: Reactor) -> Reactor {
    for _ in 0..3 {
        reactor.turn(Some(Duration::ZERO)).unwrap();
    }
    // SAFETY: the child drops a reactor, which no other thread has touched, writes and exits.
    let child = unsafe { libc::fork() };
    if child == 0 {
        drop(reactor);
        // SAFETY: the buffer is live; and _exit(2) can be called at any time, and does not come back.
        unsafe {
            libc::write(1, b"dropped".as_ptr().cast(), 7);
            libc::_exit(0)
        }
    }
    // SAFETY: no status is asked for.
    assert_eq!(unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) }, child);
    reactor
}

fn command(engine: Engine, role: &str) -> Command {
    let mut command = Command::new(env::current_exe().expect("this test"));
    command.args(["--exact", "child", "--nocapture", "--test-threads=1"]);
    command.env(ROLE, format!("{engine} {role}")).stderr(Stdio::piped());
    command
}

fn start(engine: Engine, stdin: impl Into<Stdio>, stdout: impl Into<Stdio>) -> Child {
    command(engine, "upper").stdin(stdin).stdout(stdout).spawn().expect("this test, once more")
}

/// Why the child's connection was lost, as it reports.
fn lost(child: Child) -> String {
    heard_and_lost(child).1
}

/// The number of bytes it received before, too.
fn heard_and_lost(child: Child) -> (usize, String) {
    let output = child.wait_with_output().expect("it ends");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    let end = errors.rsplit_once('<').unwrap_or_else(|| panic!("it said {errors:?}")).1;
    let heard = errors.rsplit_once("heard ").and_then(|(_, heard)| heard.split_once(' '));
    let heard = heard.map_or(0, |(heard, _)| heard.parse().expect("a number"));
    (heard, end.split_once('>').expect("its end").0.to_owned())
}

/// The output of the program.
fn after_begin(output: &[u8]) -> String {
    let output = String::from_utf8_lossy(output);
    output.split_once(BEGIN).unwrap_or_else(|| panic!("it wrote {output:?}")).1.to_owned()
}

/// Reads until the program has written this.
fn read_until(from: &mut impl Read, end: &str) {
    let (mut all, mut byte) = (Vec::new(), [0]);
    while !all.ends_with(end.as_bytes()) {
        assert_eq!(from.read(&mut byte).expect("it is open"), 1, "the end, and no {end:?}");
        all.push(byte[0]);
    }
}

fn blocks(fd: impl AsFd) -> bool {
    !fcntl_getfl(fd).expect("it is open").contains(OFlags::NONBLOCK)
}

fn on_every_engine(what: &str, scenario: impl Fn(Engine)) {
    for engine in Engine::available() {
        let _watchdog = Watchdog::new(format!("{what} on {engine}"));
        scenario(engine);
    }
}

#[test]
fn pipes() {
    on_every_engine("pipes", |engine| {
        let (stdin, mut to_child) = io::pipe().unwrap();
        let (mut from_child, stdout) = io::pipe().unwrap();
        // Shares the same open file descriptions, as a shell does.
        let (shared_in, shared_out) = (stdin.try_clone().unwrap(), stdout.try_clone().unwrap());
        let child = start(engine, stdin, stdout);
        read_until(&mut from_child, BEGIN);
        to_child.write_all(b"hello").unwrap();
        read_until(&mut from_child, "HELLO");
        assert!(blocks(&shared_in) && blocks(&shared_out), "a flag was changed that others see");
        drop(to_child);
        assert_eq!(lost(child), "Done");
        drop(shared_out);
        let mut rest = String::new();
        from_child.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "", "what the transport was for is closed to others");
    });
}

#[test]
fn regular_files() {
    let path = env::temp_dir().join(format!("sinew-stdio-{}", std::process::id()));
    let text = "some text, again and again\n".repeat(20_000);
    on_every_engine("regular files", |engine| {
        fs::write(&path, &text).unwrap();
        let stdin = File::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let mut stdout =
            File::options().create_new(true).read(true).append(true).open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        stdout.write_all(b"before\n").unwrap();
        let child = start(engine, stdin, stdout.try_clone().unwrap());
        assert_eq!(lost(child), "Done");
        stdout.rewind().unwrap();
        let mut all = Vec::new();
        stdout.read_to_end(&mut all).unwrap();
        assert!(all.starts_with(b"before\n"));
        assert!(after_begin(&all) == text.to_uppercase(), "it is not what it was given");
    });
}

/// As started by inetd.
#[test]
fn a_socket() {
    on_every_engine("a socket", |engine| {
        let (near, mut remote) = UnixStream::pair().unwrap();
        let (stdin, stdout) = (near.try_clone().unwrap(), near.try_clone().unwrap());
        let child =
            start(engine, std::os::fd::OwnedFd::from(stdin), std::os::fd::OwnedFd::from(stdout));
        read_until(&mut remote, BEGIN);
        remote.write_all(b"hello").unwrap();
        read_until(&mut remote, "HELLO");
        assert!(blocks(&near));
        remote.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = String::new();
        // Although `near` is still open: EOF is sent on the socket.
        remote.read_to_string(&mut rest).unwrap();
        assert_eq!((rest.as_str(), lost(child).as_str()), ("", "Done"));
    });
}

/// The child's own standard output stays usable, too.
#[test]
fn a_socket_is_not_shut_down_by_a_forked_child() {
    on_every_engine("a fork", |engine| {
        let (near, mut remote) = UnixStream::pair().unwrap();
        let (stdin, stdout) = (near.try_clone().unwrap(), near);
        let child = command(engine, "fork")
            .stdin(std::os::fd::OwnedFd::from(stdin))
            .stdout(std::os::fd::OwnedFd::from(stdout))
            .spawn()
            .unwrap();
        read_until(&mut remote, BEGIN);
        read_until(&mut remote, "dropped");
        remote.write_all(b"hello").unwrap();
        read_until(&mut remote, "HELLO");
        remote.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(lost(child), "Done");
    });
}

#[test]
fn no_arguments() {
    on_every_engine("/dev/null", |engine| {
        assert_eq!(lost(start(engine, Stdio::null(), Stdio::null())), "Done");
    });
    on_every_engine("closed descriptors", |engine| {
        let child = command(engine, "upper");
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "exec \"$@\" <&- >&-", "sh"]).arg(child.get_program());
        shell.args(child.get_args()).stderr(Stdio::piped());
        shell.envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
        // The standard library reopens them as /dev/null.
        assert_eq!(lost(shell.spawn().unwrap()), "Done");
    });
}

#[test]
fn a_directory_cannot_be_read() {
    on_every_engine("a folder", |engine| {
        let why = lost(start(engine, File::open("/").unwrap(), Stdio::null()));
        assert!(why.starts_with("Io(") && why.contains("IsADirectory"), "{why}");
    });
}

#[test]
fn output_is_closed() {
    on_every_engine("a closed output", |engine| {
        let (mut from_child, stdout) = io::pipe().unwrap();
        let mut child = start(engine, Stdio::piped(), stdout);
        read_until(&mut from_child, BEGIN);
        drop(from_child);
        let mut to_child = child.stdin.take().unwrap();
        // Repeatedly: a child started by another test has a copy of the reading end until it has called exec.
        while child.try_wait().unwrap().is_none() {
            let _ = to_child.write_all(b"is anybody there?");
            std::thread::yield_now();
        }
        assert_eq!(lost(child), "Reset");
        drop(to_child);
    });
}

/// Input received by then is still delivered.
#[test]
fn output_closed_after_much_input() {
    const MUCH: usize = 300_000;
    on_every_engine("a closed output with input behind it", |engine| {
        let (stdin, mut to_child) = io::pipe().unwrap();
        #[cfg(target_os = "linux")]
        rustix::pipe::fcntl_setpipe_size(&to_child, 1 << 20).unwrap();
        let (mut from_child, stdout) = io::pipe().unwrap();
        let mut child = start(engine, stdin, stdout);
        read_until(&mut from_child, BEGIN);
        drop(from_child);
        to_child.write_all(&[b'y'; MUCH]).unwrap();
        while child.try_wait().unwrap().is_none() {
            let _ = to_child.write_all(b"is anybody there?");
            std::thread::yield_now();
        }
        let (heard, why) = heard_and_lost(child);
        assert_eq!(why, "Reset");
        // On other systems a pipe holds less, and the rest has not arrived.
        assert!(heard >= if cfg!(target_os = "linux") { MUCH } else { 1 }, "{heard}");
    });
}

/// Later input is not awaited, however much it is.
#[test]
fn output_closed_and_input_continues() {
    on_every_engine("a closed output under a flood", |engine| {
        let (mut from_child, stdout) = io::pipe().unwrap();
        let mut child = start(engine, Stdio::piped(), stdout);
        read_until(&mut from_child, BEGIN);
        drop(from_child);
        let mut to_child = child.stdin.take().unwrap();
        let floods =
            std::thread::spawn(move || while to_child.write_all(&[b'y'; 65536]).is_ok() {});
        assert_eq!(lost(child), "Reset");
        floods.join().unwrap();
    });
}

/// It closes with much left to send and its input open. All of it arrives, and it does not wait for EOF.
#[test]
fn a_close_sends_everything_and_waits_for_nothing_else() {
    on_every_engine("a flood", |engine| {
        let mut child =
            command(engine, "flood").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let to_child = child.stdin.take();
        let mut all = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut all).unwrap();
        assert_eq!(after_begin(&all).len(), FLOOD);
        assert_eq!(lost(child), "Closed");
        drop(to_child);
    });
}

/// Collects the terminal's output, and types on request.
struct Screen {
    shown: Rc<RefCell<String>>,
    status: Rc<RefCell<Option<ProcessStatus>>>,
    typed: bool,
}

impl ProcessProtocol for Screen {
    fn out_received(&mut self, process: &Process, data: &[u8]) {
        self.shown.borrow_mut().push_str(&String::from_utf8_lossy(data));
        if self.shown.borrow().contains(BEGIN) && !self.typed {
            self.typed = true;
            // Three lines at once: each read returns one, and an edge-triggered engine reports once.
            process.write(b"one\ntwo\nthree\n");
            process.close_stdin();
        }
    }

    fn ended(&mut self, _: &Process, status: &ProcessStatus) {
        *self.status.borrow_mut() = Some(*status);
    }
}

#[test]
fn a_terminal() {
    on_every_engine("a terminal", |engine| {
        let reactor = Reactor::new().unwrap();
        let (shown, status) = <(Rc<RefCell<String>>, Rc<RefCell<_>>)>::default();
        let screen = Screen { shown: shown.clone(), status: status.clone(), typed: false };
        let config = ProcessConfig::default().pty(WindowSize::default());
        reactor.spawn_process_with(screen, command(engine, "upper"), config).unwrap();
        while status.borrow().is_none() {
            reactor.turn(Some(Duration::from_secs(10))).unwrap();
        }
        let shown = shown.borrow();
        // Typed input is echoed, too. The program's output is in upper case.
        let answers: String = after_begin(shown.as_bytes()).replace(['\r', '\n'], "");
        let capitals: String =
            answers.split('<').next().unwrap().chars().filter(char::is_ascii_uppercase).collect();
        assert_eq!(capitals, "ONETWOTHREE", "{shown:?}");
        assert!(shown.contains("<Done>"), "{shown:?}");
        assert_eq!(*status.borrow(), Some(ProcessStatus::Exited(0)));
    });
}
