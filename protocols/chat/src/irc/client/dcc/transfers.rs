//! What is offered and awaited by DCC: [`Transfers`]. A table; nothing is sent from here.

use std::{cell::Cell, collections::BTreeSet, net::SocketAddr, path::PathBuf, rc::Rc};

use sinew_transports::reactor::Promise;

use super::DccError;
use crate::irc::{
    client::IrcClient,
    codec::{CaseMapping, DccPart},
};

/// How often a file that is offered can be resumed.
const RESUMES_MAX: u8 = 3;

#[derive(Default)]
pub(in crate::irc::client) struct Transfers {
    active: usize,
    tokens: u64,
    /// The parts of files that are being written, in lower case: for some systems that is the same file.
    files: BTreeSet<PathBuf>,
    offers: Vec<Offered>,
    resumes: Vec<Resuming>,
}

/// An offer of this client that nobody has taken yet.
pub(super) struct Offered {
    pub(super) nick: Vec<u8>,
    /// 0 for a passive one.
    pub(super) port: u16,
    pub(super) token: Option<String>,
    pub(super) is_chat: bool,
    /// The length of the file. 0 for a conversation.
    pub(super) size: u64,
    /// Where in the file to begin.
    pub(super) position: Rc<Cell<u64>>,
    /// Waits for the address of a passive offer.
    pub(super) answer: Option<Promise<SocketAddr, DccError>>,
    pub(super) resumes: u8,
}

impl Offered {
    /// An offer of nothing yet, without a place.
    pub(super) fn new(nick: &[u8], is_chat: bool, size: u64) -> Self {
        let (port, token, position, answer, resumes) = (0, None, Rc::default(), None, 0);
        Self { nick: nick.to_vec(), port, token, is_chat, size, position, answer, resumes }
    }
}

/// A RESUME that was not answered yet.
struct Resuming {
    nick: Vec<u8>,
    port: u16,
    token: Option<Vec<u8>>,
    promise: Promise<u64, DccError>,
}

impl Transfers {
    /// The next token of a passive offer.
    pub(super) fn token(&mut self, random: u64) -> String {
        self.tokens += 1;
        // A number that mIRC can hold, and that others cannot guess.
        format!("{}", (random & 0xffff) << 8 | self.tokens & 0xff)
    }

    pub(super) fn offer(&mut self, offered: Offered) {
        self.offers.push(offered);
    }

    /// The offer with this position is over.
    fn take_back(&mut self, position: &Rc<Cell<u64>>) {
        self.offers.retain(|offered| !Rc::ptr_eq(&offered.position, position));
    }

    /// Somebody wants a file from a position on. Returns whether that is to be accepted.
    pub(super) fn resume(&mut self, mapping: CaseMapping, nick: &[u8], part: &DccPart<'_>) -> bool {
        let offered = self.offers.iter_mut().find(|offered| {
            let token = offered.token.as_deref().map(str::as_bytes);
            offered.port == part.port
                && token == part.token.as_ref().map(|token| token.as_bytes())
                && mapping.is_equal(&offered.nick, nick)
        });
        let Some(offered) = offered else { return false };
        if part.position >= offered.size || offered.resumes == RESUMES_MAX {
            return false;
        }
        offered.resumes += 1;
        offered.position.set(part.position);
        true
    }

    /// The promise of the passive offer that somebody answers.
    pub(super) fn answered(
        &mut self,
        mapping: CaseMapping,
        nick: &[u8],
        token: &[u8],
        is_chat: bool,
    ) -> Option<Promise<SocketAddr, DccError>> {
        let offered = self.offers.iter_mut().find(|offered| {
            offered.token.as_deref().is_some_and(|found| found.as_bytes() == token)
                && offered.is_chat == is_chat
                && mapping.is_equal(&offered.nick, nick)
        });
        offered?.answer.take()
    }

    /// Waits for the ACCEPT that belongs to a RESUME.
    pub(super) fn resuming(
        &mut self,
        nick: &[u8],
        part: &DccPart<'_>,
        promise: Promise<u64, DccError>,
    ) {
        self.resumes.retain(|resuming| resuming.promise.is_pending());
        let token = part.token.map(|token| token.to_vec());
        self.resumes.push(Resuming { nick: nick.to_vec(), port: part.port, token, promise });
    }

    /// Somebody will send a file from a position on.
    pub(super) fn accepted(&mut self, mapping: CaseMapping, nick: &[u8], part: &DccPart<'_>) {
        let at = self.resumes.iter().position(|resuming| {
            resuming.port == part.port
                && resuming.token.as_deref() == part.token.as_ref().map(|token| token.as_bytes())
                && mapping.is_equal(&resuming.nick, nick)
        });
        if let Some(at) = at {
            self.resumes.swap_remove(at).promise.resolve(part.position);
        }
    }
}

/// One of the transfers that may be active. Dropped at its end.
pub(super) struct Slot(IrcClient);

impl Slot {
    pub(super) fn take(irc: &IrcClient) -> Result<Self, DccError> {
        let max = irc.0.config.dcc.as_ref().ok_or(DccError::Off)?.transfers_max;
        let mut transfers = irc.0.transfers.borrow_mut();
        if transfers.active >= max {
            return Err(DccError::TooMany { max });
        }
        transfers.active += 1;
        Ok(Self(irc.clone()))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.0.transfers.borrow_mut().active -= 1;
    }
}

/// An offer in the table, for as long as this lives.
pub(super) struct Standing {
    irc: IrcClient,
    position: Rc<Cell<u64>>,
}

impl Standing {
    pub(super) fn new(irc: &IrcClient, offered: Offered) -> Self {
        let position = Rc::clone(&offered.position);
        irc.0.transfers.borrow_mut().offer(offered);
        Self { irc: irc.clone(), position }
    }

    /// Where in the file to begin.
    pub(super) fn position(&self) -> u64 {
        self.position.get()
    }
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.irc.0.transfers.borrow_mut().take_back(&self.position);
    }
}

/// A part of a file that nobody else writes, for as long as this lives.
pub(super) struct Writing {
    irc: IrcClient,
    path: PathBuf,
}

impl Writing {
    pub(super) fn begin(irc: &IrcClient, path: PathBuf) -> Result<Self, DccError> {
        let lower = PathBuf::from(path.to_string_lossy().to_lowercase());
        match irc.0.transfers.borrow_mut().files.insert(lower.clone()) {
            true => Ok(Self { irc: irc.clone(), path: lower }),
            false => Err(DccError::Exists { path }),
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.irc.0.transfers.borrow_mut().files.remove(&self.path);
    }
}
