//! The command `sinew`: ready servers and clients, and server programs from a file.

#![deny(unsafe_code)]

use std::{env, process::ExitCode};

#[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
compile_error!("the command `sinew` is for Linux and FreeBSD; the library is not");

mod arguments;
mod bench;
mod command_line;
mod commands;
mod completions;
mod config;
mod destination;
mod dig;
mod exit;
mod files;
mod log;
mod look;
mod mailq;
mod man;
mod password;
mod process;
mod quantity;
mod run;
mod secret_prompt;
mod sendmail;
mod servers;
mod top;

use exit::Code;

fn main() -> ExitCode {
    let parsed = command_line::command().try_get_matches_from(command_line::words(env::args_os()));
    let failed = match parsed.and_then(|matches| command_line::run(&matches)) {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(failure)) => failure,
        Err(error) => {
            // Help and the version are "errors" of clap that go to standard output.
            let _ = error.print();
            let code = if error.use_stderr() { Code::Usage as u8 } else { 0 };
            return ExitCode::from(code);
        }
    };
    if !failed.is_silent() {
        eprintln!("sinew: {failed}");
    }
    ExitCode::from(failed.code())
}
