//! A message that is being added to a mailbox in memory.

use std::rc::Rc;

use bytes::Bytes;
use sinew_transports::reactor::Deferred;

use super::{MemoryAccount, mailbox::Content};
use crate::store::{Append, Appended, NewMessage, StoreError, crlf::ToCrlf, index::seconds};

pub(super) struct MemoryAppend {
    account: MemoryAccount,
    content: Rc<Content>,
    message: NewMessage,
    text: Vec<u8>,
    line_ends: ToCrlf,
    failed: Option<StoreError>,
}

impl MemoryAppend {
    pub(super) fn new(
        account: MemoryAccount,
        content: Rc<Content>,
        message: NewMessage,
    ) -> Result<Self, StoreError> {
        let append = Self {
            account,
            content,
            message,
            text: Vec::new(),
            line_ends: ToCrlf::default(),
            failed: None,
        };
        append.check(append.message.size.unwrap_or(0))?;
        Ok(append)
    }

    fn check(&self, len: u64) -> Result<(), StoreError> {
        let shared = &self.account.shared;
        let max = shared.limits.message_len_max;
        if len > max {
            return Err(StoreError::TooLarge { max });
        }
        shared.check_room(len, 1)
    }

    fn add(self) -> Result<Appended, StoreError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        self.check(self.text.len() as u64)?;
        let date = match self.message.date {
            Some(date) => seconds(date),
            None => self.account.now().cast_signed(),
        };
        let shared = &self.account.shared;
        let text = Bytes::from(self.text);
        let uid = self.content.add(text, &self.message.flags, date, &shared.limits)?;
        self.account.notify(&self.content);
        Ok(Appended::new(self.content.index.borrow().validity(), uid))
    }
}

impl Append for MemoryAppend {
    fn write(&mut self, piece: Bytes) -> Deferred<(), StoreError> {
        let account = self.account.clone();
        if let Some(error) = &self.failed {
            return account.settled(Err(error.clone()));
        }
        self.line_ends.convert(&piece, &mut self.text);
        let checked = self.check(self.text.len() as u64);
        if let Err(error) = &checked {
            self.failed = Some(error.clone());
            self.text = Vec::new();
        }
        account.settled(checked)
    }

    fn finish(self: Box<Self>) -> Deferred<Appended, StoreError> {
        let account = self.account.clone();
        account.settled(self.add())
    }
}
