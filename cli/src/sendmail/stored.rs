//! A message that is ready to be sent: [`Stored`], in memory, or in a file if it is long. It is read as a server takes it: [`Reading`].

use std::{
    env,
    fs::{self, File},
    io::{self, BufRead, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    sync::Arc,
};

use sinew::{
    bytes::Bytes,
    mail::smtp::{client::MessageSource, codec::MessageFacts},
    reactor::{Failure, Reactor},
};

use super::input::{Input, InputError};

/// What is kept in memory: more goes to a file.
const MEMORY_MAX: usize = 1 << 20;

/// Bytes that are read at once.
const PIECE: usize = 64 << 10;

/// A message whose lines all end in CRLF.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    facts: MessageFacts,
    /// The beginning.
    memory: Bytes,
    /// The rest. It has no name any more, so nobody else finds it, and it is gone with this process.
    file: Option<Arc<File>>,
}

/// Where a message is collected.
struct Draft {
    facts: MessageFacts,
    memory: Vec<u8>,
    file: Option<File>,
}

impl Stored {
    /// A message with this header, and the rest of the input.
    pub(super) fn collect(
        header: &[u8],
        input: &mut Input<impl BufRead>,
    ) -> Result<Self, InputError> {
        let mut draft = Draft { facts: MessageFacts::default(), memory: Vec::new(), file: None };
        draft.add(header)?;
        input.rest(|piece| draft.add(piece))?;
        let Draft { facts, mut memory, mut file } = draft;
        if let Some(file) = &mut file {
            file.write_all(&memory.split_off(MEMORY_MAX))?;
        }
        Ok(Self { facts, memory: memory.into(), file: file.map(Arc::new) })
    }

    /// A reading from the beginning.
    pub(super) fn read(&self, reactor: &Reactor) -> Reading {
        Reading { reactor: reactor.clone(), stored: self.clone(), at: 0 }
    }

    /// Writes all of it.
    pub(super) fn write_to(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(&self.memory)?;
        let mut at = 0;
        while let Some(piece) = self.piece_of_file(at)? {
            out.write_all(&piece)?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    fn piece_of_file(&self, at: u64) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = &self.file else { return Ok(None) };
        let mut piece = vec![0; PIECE];
        let len = file.read_at(&mut piece, at)?;
        piece.truncate(len);
        Ok((len > 0).then_some(piece))
    }
}

impl Draft {
    fn add(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.facts.feed(bytes);
        self.memory.extend_from_slice(bytes);
        // What is in memory and in no file yet stays there: the file is the rest.
        if self.memory.len() < MEMORY_MAX + PIECE {
            return Ok(());
        }
        let rest = self.memory.split_off(MEMORY_MAX);
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(temporary()?),
        };
        file.write_all(&rest)
    }
}

/// A new file without a name.
fn temporary() -> io::Result<File> {
    let random = getrandom::u64().map_err(io::Error::other)?;
    let path = env::temp_dir().join(format!("sinew-sendmail-{random:016x}"));
    let file = File::options().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

/// A message that is being read.
#[derive(Debug)]
pub(super) struct Reading {
    reactor: Reactor,
    stored: Stored,
    at: u64,
}

impl MessageSource for Reading {
    fn facts(&self) -> MessageFacts {
        self.stored.facts
    }

    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        let memory = &self.stored.memory;
        if let Some(rest) = usize::try_from(self.at).ok().filter(|at| *at < memory.len()) {
            let piece = memory.slice(rest..memory.len().min(rest + PIECE));
            self.at += piece.len() as u64;
            return Ok(Some(piece));
        }
        let (stored, at) = (self.stored.clone(), self.at - memory.len() as u64);
        let read = self.reactor.defer_to_thread(move || stored.piece_of_file(at)).await;
        let piece = read.map_err(|failure: Failure| io::Error::other(failure))??;
        self.at += piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Ok(piece.map(Bytes::from))
    }
}
