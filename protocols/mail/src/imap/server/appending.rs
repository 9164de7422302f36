//! APPEND: a message that comes in pieces and is written as it comes. Nothing of it is seen before its end.
//!
//! | state | what happens | next |
//! |---|---|---|
//! | the literal is announced | the mailbox or the store refuses | `NO`; the literal is not sent, or skipped |
//! | the literal is announced | the store takes it | `+`, pieces |
//! | pieces | a piece | it is written, and reading waits for that |
//! | pieces | writing fails | the rest is skipped, `NO` |
//! | pieces | a NUL | the rest is skipped, `BAD` |
//! | pieces | the end of the literal | the end of the command |
//! | the end of the command | nothing but the line end | the message is added, `OK [APPENDUID …]` |
//! | the end of the command | anything else | the message is dropped, `BAD` |

use std::{cell::RefCell, rc::Rc};

use bytes::Bytes;

use super::{
    ImapConnection,
    answer::Done,
    session::Session,
    store_values::{flags_of, name_of},
};
use crate::{
    imap::codec::{AppendCommand, Command, Dialect, Event, LiteralHead, Message, Tag},
    store::{Append, NewMessage, StoreError},
};

/// A message that is added.
pub(super) struct Appending {
    pub(super) tag: Tag,
    /// Bytes of the literal that comes.
    is_synchronizing: bool,
    place: Rc<RefCell<Place>>,
}

/// Where a message goes. A task is asked for it, or has it, in between.
enum Place {
    Asked,
    Open(Box<dyn Append>),
    Refused(Box<Done>),
}

impl ImapConnection {
    pub(super) fn begin_append(
        &mut self,
        session: &Rc<Session>,
        tag: Tag,
        command: AppendCommand,
        head: LiteralHead,
    ) {
        let place = Rc::new(RefCell::new(Place::Asked));
        let asked = Rc::clone(&place);
        let of_task = Rc::clone(session);
        self.append =
            Some(Box::new(Appending { tag, is_synchronizing: head.is_synchronizing, place }));
        self.run(session, async move {
            let found = match of_task.begin_append(command, head.len).await {
                Ok(append) => Place::Open(append),
                Err(refused) => Place::Refused(Box::new(refused)),
            };
            asked.replace(found);
        });
    }

    /// The place for a message is there, or is refused; or a piece of it could not be written.
    pub(super) fn settle_append(&mut self, session: &Session) {
        let Some(append) = &self.append else { return };
        let refused = match &*append.place.borrow() {
            Place::Refused(_) => true,
            Place::Asked | Place::Open(_) => false,
        };
        let head = match self.decoder.decode(&mut &b""[..]) {
            Ok(Event::Literal(head)) => Some(head),
            _ => None,
        };
        if !refused {
            if head.is_some() {
                if append.is_synchronizing {
                    session.write(b"+ Go on\r\n");
                }
                self.decoder.stream();
            }
            return;
        }
        let Some(append) = self.append.take() else { return };
        let Place::Refused(done) = append.place.replace(Place::Asked) else { return };
        match head {
            Some(head) => self.refuse(session, head, Some(&append.tag), &done),
            None => {
                self.decoder.skip();
                session.finish(&append.tag, &done);
            }
        }
    }

    pub(super) fn write_piece(&mut self, session: &Rc<Session>, piece: Bytes) {
        let Some(append) = &self.append else { return };
        let place = Rc::clone(&append.place);
        if piece.contains(&0) && matches!(&*place.borrow(), Place::Open(_)) {
            // RFC 3501 and 9051 9: a literal is of CHAR8, all but NUL. The message is dropped when no borrow is held.
            let refused = Place::Refused(Box::new(Done::bad("A literal has no NUL")));
            let before = place.replace(refused);
            drop(before);
            return self.run(session, async {});
        }
        let writing = match &mut *place.borrow_mut() {
            Place::Open(append) => append.write(piece),
            Place::Asked | Place::Refused(_) => return,
        };
        self.run(session, async move {
            if let Err(error) = writing.await {
                // The message is dropped when no borrow is held.
                let refused = Place::Refused(Box::new(Done::refused_target(&error)));
                let before = place.replace(refused);
                drop(before);
            }
        });
    }

    /// The command with the message has ended.
    pub(super) fn end_append(
        &mut self,
        session: &Rc<Session>,
        append: Appending,
        message: &Message,
    ) {
        let is_right = Command::parse(message, Dialect::default()).is_ok();
        let place = append.place.replace(Place::Asked);
        let Place::Open(open) = place else { return };
        if !is_right {
            drop(open);
            return self.wrong(session, Some(&append.tag), "APPEND takes one message");
        }
        self.finish_append(session, append.tag, open);
    }

    pub(super) fn finish_append(&mut self, session: &Rc<Session>, tag: Tag, open: Box<dyn Append>) {
        let of_task = Rc::clone(session);
        self.run(session, async move {
            let done = finish_append(open).await.unwrap_or_else(|refused| refused);
            of_task.end(&tag, &done).await;
        });
    }

    /// A message that is there already: an empty one.
    pub(super) fn append_kept(
        &mut self,
        session: &Rc<Session>,
        tag: Tag,
        command: AppendCommand,
        text: Bytes,
    ) {
        let of_task = Rc::clone(session);
        self.run(session, async move {
            let appended = async {
                let mut append = of_task.begin_append(command, text.len() as u64).await?;
                append.write(text).await?;
                finish_append(append).await
            };
            let done = appended.await.unwrap_or_else(|refused| refused);
            of_task.end(&tag, &done).await;
        });
    }
}

impl Session {
    /// Asks the store for a place for a message.
    pub(super) async fn begin_append(
        &self,
        command: AppendCommand,
        len: u64,
    ) -> Result<Box<dyn Append>, Done> {
        let account = self.account()?;
        if command.is_binary {
            return Err(Done::no("Messages with NULs are not taken").code("UNKNOWN-CTE"));
        }
        if len > self.config.append_max {
            return Err(Done::no("The message is too large").code("TOOBIG"));
        }
        let name = name_of(&command.mailbox)?;
        let mut message = NewMessage::new().flags(flags_of(&command.flags)).size(len);
        if let Some(date) = command.date {
            message = message.date(system_time(date.unix()));
        }
        account.deliver(&name, message).await.map_err(|error| Done::refused_target(&error))
    }
}

/// The end of an APPEND.
pub(super) async fn finish_append(append: Box<dyn Append>) -> Result<Done, Done> {
    let appended =
        append.finish().await.map_err(|error: StoreError| Done::refused_target(&error))?;
    Ok(Done::ok("Added").code(format!("APPENDUID {} {}", appended.uid_validity, appended.uid)))
}

fn system_time(seconds: i64) -> std::time::SystemTime {
    let since = std::time::Duration::from_secs(seconds.unsigned_abs());
    let epoch = std::time::SystemTime::UNIX_EPOCH;
    let time = if seconds < 0 { epoch.checked_sub(since) } else { epoch.checked_add(since) };
    time.unwrap_or(epoch)
}
