//! Delivery to files: [`FileAgent`], which appends to them in the format mbox (RFC 4155), as `mboxrd`.

use std::{
    fs::OpenOptions,
    io::{self, BufWriter, Write},
    path::Path,
};

use sinew_transports::reactor::{Deferred, Reactor};

use crate::{
    file_lock::FileLock,
    queue::{self, Attempt, AttemptResult, DeliveryAgent, Fate, QueuedRecipient, Status},
};

/// Appends to the file that a recipient names. A file that is locked by `flock(2)` is tried later; one that could not be written to its
/// end is cut to what it was.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct FileAgent;

impl DeliveryAgent for FileAgent {
    fn destination(&self, to: &QueuedRecipient) -> String {
        to.argument().to_owned()
    }

    fn deliver(&self, reactor: &Reactor, attempt: Attempt) -> Deferred<AttemptResult> {
        let of_task = reactor.clone();
        queue::run(reactor, async move {
            let mut fates = Vec::with_capacity(attempt.recipients().len());
            for to in attempt.recipients() {
                let (path, pieces) = (to.argument().to_owned(), attempt.reader());
                let from = attempt.sender().address().map(ToString::to_string);
                let date = queue::report::date(attempt.arrived());
                let job = move || append(Path::new(&path), from.as_deref(), &date, pieces);
                let appended = of_task.defer_to_thread(job).await;
                fates.push(
                    match appended.map_err(io::Error::other).and_then(|appended| appended) {
                        Ok(()) => Fate::Delivered(Status::new(2, 1, 5, "appended to the file")),
                        Err(error) => Fate::Delayed(Status::new(
                            4,
                            2,
                            0,
                            format!("the file cannot be written: {error}"),
                        )),
                    },
                );
            }
            AttemptResult::new(fates)
        })
    }
}

fn append(
    path: &Path,
    from: Option<&str>,
    date: &str,
    mut pieces: impl FnMut() -> io::Result<Option<Vec<u8>>>,
) -> io::Result<()> {
    // To open a pipe would wait until somebody reads it.
    let is_plain = |found: &std::fs::Metadata| found.is_file();
    if std::fs::metadata(path).is_ok_and(|found| !is_plain(&found)) {
        return Err(io::Error::other("it is not a plain file"));
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    if !is_plain(&file.metadata()?) {
        return Err(io::Error::other("it is not a plain file"));
    }
    let locked = FileLock::try_new(file)?;
    let file = locked.file();
    let len = file.metadata()?.len();
    let mut write = || -> io::Result<()> {
        let mut out = BufWriter::new(file);
        let mut lines = Mbox::default();
        writeln!(
            out,
            "From {} {date}",
            from.map_or("MAILER-DAEMON".into(), |from| from.replace(' ', "_"))
        )?;
        while let Some(piece) = pieces()? {
            lines.write(&mut out, &piece)?;
        }
        out.write_all(b"\n")?;
        out.flush()?;
        file.sync_all()?;
        // What was delivered to a new file is lost with its name.
        match path.parent().filter(|folder| len == 0 && !folder.as_os_str().is_empty()) {
            Some(folder) => queue::sync_folder(folder),
            None => Ok(()),
        }
    };
    write().inspect_err(|_| {
        // The lock keeps others out, so it ends with what was written here.
        let _ = file.set_len(len);
    })
}

/// The text of messages as mbox has it: lines that end in LF, and a `>` more in front of each `From `, whatever is in front of it.
#[derive(Default)]
struct Mbox {
    /// The front of a line that may be one of those.
    front: Vec<u8>,
    is_inside: bool,
    has_cr: bool,
}

impl Mbox {
    fn write(&mut self, out: &mut impl Write, piece: &[u8]) -> io::Result<()> {
        for &byte in piece {
            if byte == b'\r' {
                self.has_cr = true;
                continue;
            }
            if std::mem::take(&mut self.has_cr) && byte != b'\n' {
                self.byte(out, b'\r')?;
            }
            self.byte(out, byte)?;
        }
        Ok(())
    }

    fn byte(&mut self, out: &mut impl Write, byte: u8) -> io::Result<()> {
        if self.is_inside {
            self.is_inside = byte != b'\n';
            return out.write_all(&[byte]);
        }
        self.front.push(byte);
        let marks = self.front.iter().take_while(|byte| **byte == b'>').count();
        let rest = &self.front[marks..];
        // A line of such marks could be longer than memory should be.
        if b"From ".starts_with(rest) && rest.len() < 5 && self.front.len() < 1_000 {
            return Ok(());
        }
        if rest == b"From " {
            out.write_all(b">")?;
        }
        self.is_inside = byte != b'\n';
        out.write_all(&std::mem::take(&mut self.front))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_look_like_a_beginning_are_marked() {
        let text =
            b"Subject: x\r\n\r\nFrom me\r\n>From you\r\n>>From\r\nFro\r\n From x\r\n\r\nFrom \r\n";
        let expected = "Subject: x\n\n>From me\n>>From you\n>>From\nFro\n From x\n\n>From \n";
        for piece in 1..text.len() {
            let (mut mbox, mut out) = (Mbox::default(), Vec::new());
            text.chunks(piece).for_each(|piece| mbox.write(&mut out, piece).unwrap());
            assert_eq!(String::from_utf8_lossy(&out), expected, "pieces of {piece}");
        }
    }

    /// A pipe would keep a thread that opens it. A socket shows the same: to open it is another error.
    #[cfg(unix)]
    #[test]
    fn what_is_no_plain_file_is_not_opened() {
        let path = std::env::temp_dir().join(format!("sinew-socket-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let error = append(&path, None, "today", || Ok(None)).unwrap_err();
        drop(socket);
        std::fs::remove_file(path).unwrap();
        assert_eq!(error.to_string(), "it is not a plain file");
    }

    /// Somebody else has the same open file, as a child between `fork` and `exec`.
    #[test]
    fn a_lock_ends_with_the_delivery() {
        let path = std::env::temp_dir().join(format!("sinew-mbox-lock-{}", std::process::id()));
        let file = OpenOptions::new().create(true).append(true).open(&path).unwrap();
        let inherited = file.try_clone().unwrap();
        drop(FileLock::try_new(file).unwrap());
        append(&path, None, "today", || Ok(None)).unwrap();
        drop(inherited);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_file_that_cannot_be_written_to_its_end_is_as_it_was() {
        let path = std::env::temp_dir().join(format!("sinew-mbox-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let of = |text: &'static str| {
            let mut pieces = vec![text.as_bytes().to_vec()];
            move || Ok(pieces.pop())
        };
        append(&path, Some("ann@example.net"), "today", of("A: b\r\n\r\none\r\n")).unwrap();
        let mut is_first = true;
        let failing = || match std::mem::take(&mut is_first) {
            true => Ok(Some(b"x".repeat(100_000))),
            false => Err(io::Error::other("gone")),
        };
        assert!(append(&path, None, "today", failing).is_err());
        append(&path, None, "today", of("two\r\n")).unwrap();
        let expected =
            "From ann@example.net today\nA: b\n\none\n\nFrom MAILER-DAEMON today\ntwo\n\n";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        std::fs::remove_file(path).unwrap();
    }
}
