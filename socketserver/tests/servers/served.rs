//! The serving process of the tests: any of the twelve servers, with a handler that runs its clients' commands.

use std::{
    env, fs,
    io::{self, BufRead, Write},
    path::PathBuf,
    process::Command,
    str::FromStr,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Sender, channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use rustix::process::{WaitOptions, wait};
use sinew_reactor::{Engine, Reactor};
use sinew_socketserver::*;

use super::{
    forks,
    gate::Gate,
    process::{SPEC, TEST_TIMEOUT},
};

/// The server's options: `name=value`, separated by blanks.
#[derive(Clone, Debug, Default)]
struct Options {
    text: String,
}

impl Options {
    fn find<T: FromStr>(&self, name: &str) -> Option<T> {
        let mut words = self.text.split_whitespace().filter_map(|word| word.split_once('='));
        words.find(|(key, _)| *key == name).and_then(|(_, value)| value.parse().ok())
    }

    fn time(&self, name: &str) -> Option<Duration> {
        self.find(name).map(Duration::from_millis)
    }

    fn set<M: Mode>(&self, mut config: ServerConfig<M>) -> ServerConfig<M> {
        if let Some(name) = self.find::<String>("engine") {
            config = config.engine(name.parse::<Engine>().unwrap());
        }
        if let Some(timeout) = self.time("close_timeout") {
            config = config.close_timeout(timeout);
        }
        config.timeout(self.time("timeout")).poll_interval(self.time("poll_interval")).hooks(
            Reporting {
                actions: AtomicUsize::new(0),
                requests_max: self
                    .find::<usize>("max")
                    .and_then(|max| Some(max + self.find::<usize>("queued")?)),
            },
        )
    }
}

/// Prints the calls of hooks.
struct Reporting {
    actions: AtomicUsize,
    /// Of a server with threads: the maximum of active and queued requests.
    requests_max: Option<usize>,
}

impl Hooks for Reporting {
    fn verify_request(&self, server: &BaseServer, _: &Request, _: &Address) -> bool {
        let taken = server.active_requests() + server.queued_requests();
        if self.requests_max.is_some_and(|max| taken >= max) {
            say("a request was accepted without room for it");
        }
        if env::var(SPEC).unwrap().contains("extra=late") {
            start_extra_thread();
        }
        true
    }

    fn handle_error(&self, _: &BaseServer, _: &Request, _: &Address, error: &RequestError) {
        say(&format!("error {error}"));
    }

    fn handle_timeout(&self, _: &BaseServer) {
        say("no request");
    }

    fn service_actions(&self, server: &BaseServer) {
        // The first call follows the first pass; without requests, the others are those of the interval.
        let number = self.actions.fetch_add(1, Ordering::Relaxed);
        if number == 3 && env::var(SPEC).unwrap().contains("poll_interval") {
            say("actions");
            server.stop().unwrap();
        }
    }
}

/// A thread that keeps running, so that this process cannot be forked.
static EXTRA: Mutex<Option<(Sender<()>, JoinHandle<()>)>> = Mutex::new(None);

fn start_extra_thread() {
    EXTRA.lock().unwrap().get_or_insert_with(|| {
        let (sender, end) = channel();
        (sender, thread::spawn(move || while end.recv().is_ok() {}))
    });
}

fn end_extra_thread() {
    if let Some((sender, thread)) = EXTRA.lock().unwrap().take() {
        drop(sender);
        thread.join().unwrap();
    }
}

pub(crate) fn say(what: &str) {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{what}").unwrap();
    stdout.flush().unwrap();
}

/// Runs commands.
struct Script {
    timeout: Option<Duration>,
}

fn run_command(
    command: &str,
    server: &BaseServer,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let (verb, rest) = command.split_once(' ').unwrap_or((command, ""));
    Ok(match verb {
        "upper" => rest.to_uppercase(),
        "panic" => panic!("as requested"),
        "fail" => return Err(format!("failed as requested, {rest}").into()),
        "gate" => {
            Gate::pass();
            "passed".to_owned()
        }
        "shutdown" => format!("{:?}", server.shutdown()),
        "stop" => format!("{:?}", server.stop()),
        "busy" => {
            format!("{} active, {} queued", server.active_requests(), server.queued_requests())
        }
        "serve" => format!("{:?}", server.serve_forever().map_err(|error| error.to_string())),
        "thread" => thread::current().name().unwrap_or("main").to_owned(),
        _ => format!("{verb}?"),
    })
}

impl StreamRequestHandler for Script {
    fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    fn handle(&mut self, cx: &mut StreamContext) -> HandlerResult {
        let line = cx.readline(1024)?;
        let command = String::from_utf8_lossy(&line).trim_end().to_owned();
        let answer = run_command(&command, &cx.server)?;
        writeln!(cx.wfile, "{answer}")?;
        Ok(())
    }
}

impl DatagramRequestHandler for Script {
    fn handle(&mut self, cx: &mut DatagramContext) -> HandlerResult {
        let command = String::from_utf8_lossy(&cx.packet).into_owned();
        let answer = run_command(&command, &cx.server)?;
        write!(cx.wfile, "{answer}")?;
        Ok(())
    }
}

pub(crate) fn main() {
    let spec = env::var(SPEC).unwrap();
    let (name, options) = spec.split_once(' ').unwrap();
    let options = Options { text: options.to_owned() };
    forks::set_up(&options.text);
    let script = {
        let timeout = options.time("handler_timeout");
        move || Script { timeout }
    };
    let path = PathBuf::from(env::var_os("SINEW_FOLDER").unwrap()).join("server");
    let here = "127.0.0.1:0";
    // The signal pipe stays open for the life of the process, so it is opened before the count.
    let reactor = Reactor::new().unwrap();
    reactor.call_soon(|reactor| reactor.stop().unwrap());
    reactor.run().unwrap();
    drop(reactor);
    let before = Resources::count();

    let plain = || options.set(ServerConfig::default());
    let threading = || {
        let mut config = options.set(ServerConfig::<Threading>::default());
        if let Some(max) = options.find("max") {
            config = config.max_threads(max).max_queued(options.find("queued").unwrap_or(1));
        }
        config.daemon_threads(options.find("daemon").unwrap_or(false))
    };
    let forking = || {
        let config = options.set(ServerConfig::<Forking>::default());
        let config = config.max_children(options.find("max").unwrap_or(40));
        config.end_with_parent(options.find("end_with_parent").unwrap_or(true))
    };
    macro_rules! serve {
        ($server:ident, $address:expr, $config:expr) => {
            serve(&options, $server::bind_with($address, script, $config()).unwrap())
        };
    }
    match name {
        "TcpServer" => serve!(TcpServer, here, plain),
        "UdpServer" => serve!(UdpServer, here, plain),
        "UnixStreamServer" => serve!(UnixStreamServer, &path, plain),
        "UnixDatagramServer" => serve!(UnixDatagramServer, &path, plain),
        "ThreadingTcpServer" => serve!(ThreadingTcpServer, here, threading),
        "ThreadingUdpServer" => serve!(ThreadingUdpServer, here, threading),
        "ThreadingUnixStreamServer" => serve!(ThreadingUnixStreamServer, &path, threading),
        "ThreadingUnixDatagramServer" => serve!(ThreadingUnixDatagramServer, &path, threading),
        "ForkingTcpServer" => serve!(ForkingTcpServer, here, forking),
        "ForkingUdpServer" => serve!(ForkingUdpServer, here, forking),
        "ForkingUnixStreamServer" => serve!(ForkingUnixStreamServer, &path, forking),
        "ForkingUnixDatagramServer" => serve!(ForkingUnixDatagramServer, &path, forking),
        other => panic!("{other:?} is not one of the twelve servers"),
    }
    end_extra_thread();
    let after = Resources::count_after(&before);
    say(&format!(
        "left threads {}, children {}, descriptors {}, files {}",
        after.threads - before.threads,
        i32::from(after.has_children),
        after.descriptors - before.descriptors,
        i32::from(path.exists()),
    ));
}

fn serve<F: Family, H, M: Mode>(options: &Options, server: Server<F, H, M>) {
    say(&format!("address {}", server.server_address()));
    if options.find::<String>("extra").as_deref() == Some("early") {
        start_extra_thread();
    }
    assert_eq!(server.fileno(), server.socket().map(|socket| socket.fileno()));
    // Ends at once, and must not be reaped by the server before it is waited for below.
    let other = options.find::<bool>("other_child").map(|_| Command::new("true").spawn().unwrap());
    let served = match options.find::<String>("how").as_deref() {
        Some("once") => handle_requests(options, &server),
        Some("thread") => thread::scope(|scope| {
            let serving = scope.spawn(|| server.serve_forever_ready(|_| say("ready")));
            run_stdin_commands(&server);
            serving.join().unwrap()
        }),
        Some("once_in_a_thread") => thread::scope(|scope| {
            let serving = scope.spawn(|| server.handle_request());
            say("ready");
            run_stdin_commands(&server);
            serving.join().unwrap().map(|waited| assert_eq!(waited, Waited::Stopped))
        }),
        Some("late") => server.shutdown().map_err(|_| ServeError::Closed).and_then(|()| {
            say("ready");
            server.serve_forever()
        }),
        _ => server.serve_forever_ready(|_| say("ready")),
    };
    if let Some(mut other) = other {
        say(&format!("other child {}", other.wait().unwrap().success()));
    }
    say(&format!("served {:?}", served.map_err(|error| error.to_string())));
    say(&format!("closed {:?}", server.server_close().map_err(|error| error.to_string())));
    assert!(matches!(server.serve_forever(), Err(ServeError::Closed)));
    assert_eq!((server.fileno(), server.server_close().is_ok()), (None, true));
}

fn handle_requests<F, H, M>(options: &Options, server: &Server<F, H, M>) -> Result<(), ServeError> {
    say("ready");
    for _ in 0..options.find("requests").unwrap_or(0) {
        say(&format!("{:?}", server.handle_request()?));
    }
    if options.find::<usize>("requests").is_some() {
        return Ok(());
    }
    // Until no request follows the first one in time.
    let mut has_come = false;
    loop {
        let waited = server.handle_request()?;
        say(&format!("{waited:?}"));
        if has_come && waited == Waited::TimedOut {
            return Ok(());
        }
        has_come |= waited == Waited::Request;
    }
}

/// Runs `shutdown`, `stop` and `fork` from standard input, in a thread beside the serving one.
fn run_stdin_commands<F, H, M>(server: &Server<F, H, M>) {
    for line in io::stdin().lock().lines().map_while(Result::ok) {
        if line == "fork" {
            forks::fork_and_close(server);
            continue;
        }
        let began = Instant::now();
        let ended = if line == "shutdown" { server.shutdown() } else { server.stop() };
        say(&format!("{line} {ended:?} {}", began.elapsed().as_micros()));
        if ended.is_ok() {
            return;
        }
    }
}

/// The resources of a process.
#[derive(Debug)]
struct Resources {
    threads: i64,
    descriptors: i64,
    has_children: bool,
}

impl Resources {
    /// A thread that was joined is listed for a moment longer.
    fn count_after(before: &Self) -> Self {
        let end = Instant::now() + TEST_TIMEOUT;
        loop {
            let resources = Self::count();
            if resources.threads == before.threads || Instant::now() > end {
                return resources;
            }
            thread::yield_now();
        }
    }

    fn count() -> Self {
        let count = |folder: &str| fs::read_dir(folder).map_or(0, |entries| entries.count() as i64);
        Self {
            threads: count("/proc/self/task"),
            descriptors: count("/dev/fd"),
            has_children: wait(WaitOptions::NOHANG).is_ok(),
        }
    }
}
