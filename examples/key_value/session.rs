//! A client session: executes commands and sends the answers.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use sinew::{
    prelude::*,
    protocols::basic::{DotStuffing, FrameTransport, PhaseDeadline, Text, TypedHandler, Word},
};

use crate::{
    cli::say,
    commands::{Command, CommandError, CommandLines},
};

/// Limit of stored keys.
const KEYS_MAX: usize = 10_000;

pub(crate) type Store = Rc<RefCell<BTreeMap<Word, Text>>>;

pub(crate) struct Session {
    pub(crate) secret: String,
    /// The login deadline.
    pub(crate) login: PhaseDeadline,
    pub(crate) store: Store,
}

impl Session {
    fn list(&self, transport: &Transport) {
        let store = self.store.borrow();
        transport.write(format!("+ {} follow\r\n", store.len()).as_bytes());
        let mut lines = DotStuffing::normalizing();
        let mut write = |piece: &[u8]| {
            transport.write(piece);
        };
        for part in store.iter().flat_map(|(key, value)| [key, &b" "[..], value, b"\r\n"]) {
            lines.encode(part, &mut write).expect("line ends are fixed, not rejected");
        }
        lines.finish(write).expect("line ends are fixed, not rejected");
    }

    fn answer(&self, transport: &Transport, command: Command<'_>) -> String {
        match command {
            Command::Get { key } => match self.store.borrow().get(key) {
                Some(value) => format!("+ {value}\r\n"),
                None => "- there is no such key\r\n".to_owned(),
            },
            Command::Set { key, value } => {
                let mut store = self.store.borrow_mut();
                if store.len() >= KEYS_MAX && !store.contains_key(&key) {
                    return "- there are too many keys\r\n".to_owned();
                }
                store.insert(key, value);
                "+ kept\r\n".to_owned()
            }
            Command::List => {
                self.list(transport);
                String::new()
            }
            Command::Auth { .. } => "- you are known already\r\n".to_owned(),
            Command::Quit => {
                transport.write(b"+ bye\r\n");
                transport.lose_connection();
                String::new()
            }
        }
    }
}

impl TypedHandler<CommandLines> for Session {
    fn connection_made(&mut self, transport: &mut FrameTransport<'_, CommandLines>) {
        self.login.begin(transport);
    }

    fn frame_received(&mut self, to: &mut FrameTransport<'_, CommandLines>, command: Command<'_>) {
        let answer = match command {
            Command::Quit => self.answer(to, command),
            _ if !self.login.is_running() => self.answer(to, command),
            Command::Auth { secret } if secret == self.secret.as_bytes() => {
                self.login.end(to);
                "+ hello\r\n".to_owned()
            }
            _ => "- AUTH first\r\n".to_owned(),
        };
        to.write(answer.as_bytes());
    }

    fn frame_refused(&mut self, to: &mut FrameTransport<'_, CommandLines>, error: CommandError) {
        to.write(format!("- {error}\r\n").as_bytes());
    }

    fn timer_fired(&mut self, to: &mut FrameTransport<'_, CommandLines>, timer: TimerId) {
        if let Some(late) = self.login.passed(timer) {
            to.write(format!("- {late}\r\n").as_bytes());
            to.fail(late);
        }
    }

    fn connection_lost(&mut self, to: &mut FrameTransport<'_, CommandLines>, why: &ConnectionLost) {
        if !why.is_clean() {
            say!("{}: {why}", to.peer());
        }
    }
}
