//! Asks for a password at the terminal of the process, whatever standard input is: [`ask`]. What is typed is not shown.

use std::{
    fmt, fs,
    io::{self, Read, Write},
};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use sinew::auth::Secret;

/// The longest line that is read.
const LINE_MAX: usize = 4096;

/// Prints the question, and reads a line. An error if the process has no terminal.
pub(crate) fn ask(question: impl fmt::Display) -> io::Result<Secret> {
    let mut terminal = fs::File::options().read(true).write(true).open("/dev/tty")?;
    // First, so that an answer to the question is neither shown nor dropped with what was typed before it.
    let quiet = Quiet::new(&terminal)?;
    write!(&terminal, "{question}: ")?;
    let (mut line, mut byte) = (Vec::new(), [0]);
    while line.len() < LINE_MAX && (&terminal).read(&mut byte)? == 1 {
        match byte[0] {
            b'\n' => break,
            // Ctrl-C: signals are off, so that none leaves the terminal without an echo.
            3 => {
                drop(quiet);
                return Err(io::ErrorKind::Interrupted.into());
            }
            byte => line.push(byte),
        }
    }
    drop(quiet);
    writeln!(terminal)?;
    Ok(Secret::from(line))
}

/// A terminal that does not show what is typed, until this is dropped.
struct Quiet<'a> {
    terminal: &'a fs::File,
    before: Termios,
}

impl<'a> Quiet<'a> {
    fn new(terminal: &'a fs::File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut quiet = before.clone();
        quiet.local_modes -= LocalModes::ECHO | LocalModes::ISIG;
        tcsetattr(terminal, OptionalActions::Flush, &quiet)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        // The terminal is gone if that fails.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}
