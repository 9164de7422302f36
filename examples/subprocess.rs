//! Runs a program, forwards standard input to it, and prints its output with a prefix, with backpressure in all
//! directions. Unix only.
//!
//! ```text
//! $ cargo run --release --example subprocess -- sh -c 'echo one; echo two >&2; exit 3'
//! out one
//! err two
//! exit code 3
//! ```

mod cli;

#[cfg(unix)]
mod unix {
    use super::cli::{self, End, EngineArgs, Failed};
    use sinew::prelude::*;
    use std::{cell::OnceCell, collections::HashMap, process::Command, rc::Rc};

    /// Runs a program and prefixes its output lines
    #[derive(clap::Parser, Debug)]
    pub(crate) struct Args {
        #[command(flatten)]
        engine: EngineArgs,
        /// The program and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    }
    struct Prefix {
        stdio: Rc<OnceCell<Transport>>,
        unfinished: HashMap<ChildFd, Vec<u8>>,
    }

    impl ProcessProtocol for Prefix {
        fn data_received(&mut self, _: &Process, fd: ChildFd, data: &[u8]) {
            let stdio = self.stdio.get().expect("set before the loop runs");
            let line = self.unfinished.entry(fd).or_default();
            for piece in data.split_inclusive(|byte| *byte == b'\n') {
                if line.is_empty() {
                    line.extend(if fd == ChildFd::STDERR { b"err " } else { b"out " });
                }
                line.extend(piece);
                // An overlong line is split, to bound the buffer.
                if piece.ends_with(b"\n") || line.len() > 64 * 1024 {
                    stdio.write(&line);
                    line.clear();
                }
            }
        }
        fn input_paused(&mut self, _: &Process, _: ChildFd) {
            self.stdio.get().inspect(|stdio| stdio.pause_reading());
        }
        fn input_resumed(&mut self, _: &Process, _: ChildFd) {
            self.stdio.get().inspect(|stdio| stdio.resume_reading());
        }
        /// The process has exited and all its output has been received; after `exited` there may still be output.
        fn ended(&mut self, _: &Process, status: &ProcessStatus) {
            let stdio = self.stdio.get().expect("set before the loop runs");
            for rest in self.unfinished.values().filter(|rest| !rest.is_empty()) {
                stdio.write_vectored(&[rest, b"\n"]);
            }
            stdio.write(format!("{status}\n").as_bytes());
            stdio.lose_connection();
        }
    }

    struct Feed(Process, End);

    impl Protocol for Feed {
        fn data_received(&mut self, _: &Transport, data: &[u8]) {
            self.0.write(data);
        }
        fn read_closed(&mut self, _: &Transport) {
            self.0.close_stdin();
        }
        fn writing_paused(&mut self, _: &Transport) {
            [ChildFd::STDOUT, ChildFd::STDERR].iter().for_each(|fd| self.0.pause_reading(*fd));
        }
        fn writing_resumed(&mut self, _: &Transport) {
            [ChildFd::STDOUT, ChildFd::STDERR].iter().for_each(|fd| self.0.resume_reading(*fd));
        }
        fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
            self.1.stdio_lost(reason);
        }
    }

    pub(crate) fn run(args: Args) -> Result<(), Failed> {
        let (reactor, stdio) = (args.engine.builder().build()?, Rc::<OnceCell<_>>::default());
        let mut command = Command::new(&args.command[0]);
        command.args(&args.command[1..]);
        let prefix = Prefix { stdio: stdio.clone(), unfinished: HashMap::new() };
        let (end, ended) = End::new(&reactor);
        let feed = Feed(reactor.spawn_process(prefix, command)?, end);
        let config = StreamConfig::default().auto_pause(false); // that is up to `input_paused`
        let _ = stdio.set(reactor.stdio_with(config, feed)?.transport().clone());
        cli::run_until(&reactor, async { Ok(ended.await??) })
    }
}

cli::unix_main!(unix::run);
