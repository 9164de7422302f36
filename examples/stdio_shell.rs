//! A small shell on standard input and output, which may be a terminal, pipes or files. Unix only.
//!
//! ```text
//! $ cargo run --release --example stdio_shell
//! help
//! echo TEXT, run COMMAND, quit
//! run date +%Y; exit 2
//! 2026
//! exit code 2
//! quit
//! ```

mod cli;

#[cfg(unix)]
mod unix {
    use std::process::Command;

    use super::cli::{self, End, EngineArgs, Failed};
    use sinew::{
        prelude::*,
        protocols::basic::{FrameError, Line, LineHandler, LineReceiver, LineTransport},
    };

    struct Shell {
        end: End,
    }

    impl LineHandler for Shell {
        fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
            let line = String::from_utf8_lossy(line);
            let (command, rest) = line.split_once(' ').unwrap_or((&line, ""));
            match command {
                "echo" => drop(transport.write(format!("{rest}\n").as_bytes())),
                "run" => run_command(transport, rest),
                "quit" => transport.lose_connection(),
                "" => {}
                _ => drop(transport.write(b"echo TEXT, run COMMAND, quit\n")),
            }
        }

        /// The last line may lack its line end.
        fn unfinished(
            &mut self,
            transport: &mut LineTransport<'_>,
            rest: &[u8],
        ) -> Result<(), FrameError> {
            self.line_received(transport, rest);
            Ok(())
        }

        fn connection_lost(&mut self, _: &mut LineTransport<'_>, reason: &ConnectionLost) {
            self.end.stdio_lost(reason);
        }
    }

    /// The next line is read after the command has ended, as in any shell.
    fn run_command(shell: &Transport, line: &str) {
        let Some(reactor) = shell.reactor() else { return };
        let mut command = Command::new("/bin/sh");
        command.args(["-c", line]);
        match reactor.spawn_process(Output(shell.clone()), command) {
            Ok(_) => shell.pause_reading(),
            Err(error) => drop(shell.write(format!("{error}\n").as_bytes())),
        }
    }

    /// Writes the output of a running command to the output of the shell.
    struct Output(Transport);

    impl ProcessProtocol for Output {
        fn started(&mut self, process: &Process) {
            process.close_stdin();
        }
        fn data_received(&mut self, _: &Process, _: ChildFd, data: &[u8]) {
            self.0.write(data);
        }
        fn ended(&mut self, _: &Process, status: &ProcessStatus) {
            if !status.is_success() {
                self.0.write(format!("{status}\n").as_bytes());
            }
            self.0.resume_reading();
        }
    }

    pub(crate) fn run(args: EngineArgs) -> Result<(), Failed> {
        let reactor = args.builder().build()?;
        let (end, ended) = End::new(&reactor);
        reactor.stdio(LineReceiver::with_decoder(Line::lf_or_crlf(), Shell { end }))?;
        cli::run_until(&reactor, async { Ok(ended.await??) })
    }
}

cli::unix_main!("A small shell on standard input and output", unix::run);
