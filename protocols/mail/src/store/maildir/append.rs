//! A message that is being added to a mailbox on the disk: its file in `tmp` grows with what is written.
//!
//! One call at a time writes on a thread. What is written meanwhile waits, and is written in the next call; a session that waits for each
//! piece has one in memory.

use std::{cell::RefCell, fs::File, path::PathBuf, rc::Rc};

use bytes::Bytes;
use sinew_transports::reactor::{Deferred, Failure, Promise, with_causes};

use super::{
    accounting::Busy,
    disk::{self, Done},
    edits::NewFile,
    quota,
    shared::Shared,
    unique::Unique,
};
use crate::store::{Append, Appended, Flags, NewMessage, StoreError, crlf::ToCrlf, index::seconds};

pub(super) struct MaildirAppend {
    inner: Rc<Inner>,
    is_finished: bool,
}

struct Inner {
    shared: Rc<Shared>,
    base: String,
    flags: Flags,
    date: i64,
    state: RefCell<State>,
}

struct State {
    /// Not while a thread has it.
    file: Option<File>,
    waiting: Vec<(Bytes, Promise<(), StoreError>)>,
    line_ends: ToCrlf,
    size: u64,
    /// Most bytes by the quota, as it was at the beginning. Past it the quota is checked once more.
    room: u64,
    failed: Option<StoreError>,
    finish: Option<Promise<Appended, StoreError>>,
}

/// Begins a message.
pub(super) async fn begin(shared: Rc<Shared>, message: NewMessage) -> Done<Box<dyn Append>> {
    let account = Rc::clone(&shared.account);
    let limits = account.settings.limits.clone();
    let size = message.size.unwrap_or(0);
    if size > limits.message_len_max {
        return Err(StoreError::TooLarge { max: limits.message_len_max });
    }
    let reactor = account.reactor.upgrade().ok_or(Failure::Abandoned)?;
    let base = account.unique(&reactor).base();
    account.released().await?;
    let busy = Busy::new(&account);
    let (folder, name) = (shared.path(), base.clone());
    let missing = shared.missing();
    let begun = account.call(move |root| {
        if !disk::is_folder(&folder.join("cur")) {
            return Err(missing);
        }
        quota::check(&root.path, &limits, &root.unique, size, 1)?;
        let room = match limits.quota_bytes {
            Some(max) => max.saturating_sub(root.quota()?.bytes),
            None => u64::MAX,
        };
        Ok((disk::create(&folder.join("tmp").join(name))?, room))
    });
    let (file, room) = begun.await?;
    drop(busy);
    let state = State {
        file: Some(file),
        waiting: Vec::new(),
        line_ends: ToCrlf::default(),
        size: 0,
        room,
        failed: None,
        finish: None,
    };
    let date = message.date.map_or_else(|| account.now(), seconds);
    let (flags, state) = (message.flags, RefCell::new(state));
    let inner = Rc::new(Inner { shared, base, flags, date, state });
    Ok(Box::new(MaildirAppend { inner, is_finished: false }))
}

impl Append for MaildirAppend {
    fn write(&mut self, piece: Bytes) -> Deferred<(), StoreError> {
        let (promise, deferred) = self.inner.shared.account.reactor.promise();
        match self.inner.accept(piece) {
            Ok(piece) => {
                self.inner.state.borrow_mut().waiting.push((piece, promise));
                self.inner.go_on();
            }
            Err(error) => promise.reject(error),
        }
        deferred
    }

    fn finish(mut self: Box<Self>) -> Deferred<Appended, StoreError> {
        let (promise, deferred) = self.inner.shared.account.reactor.promise();
        self.is_finished = true;
        self.inner.state.borrow_mut().finish = Some(promise);
        self.inner.go_on();
        deferred
    }
}

impl Drop for MaildirAppend {
    fn drop(&mut self) {
        if !self.is_finished {
            self.inner.remove();
        }
    }
}

impl Inner {
    fn path(&self) -> PathBuf {
        self.shared.path().join("tmp").join(&self.base)
    }

    /// Counts a piece, whose lines end in CRLF afterwards.
    fn accept(&self, piece: Bytes) -> Done<Bytes> {
        let mut state = self.state.borrow_mut();
        if let Some(error) = &state.failed {
            return Err(error.clone());
        }
        let mut counter = state.line_ends;
        let len = counter.count(&piece);
        let piece = match len == piece.len() as u64 {
            true => piece,
            false => {
                let mut converted = Vec::with_capacity(piece.len());
                state.line_ends.convert(&piece, &mut converted);
                converted.into()
            }
        };
        state.line_ends = counter;
        state.size = state.size.saturating_add(len);
        let max = self.shared.account.settings.limits.message_len_max;
        if state.size <= max {
            return Ok(piece);
        }
        let error = StoreError::TooLarge { max };
        state.failed = Some(error.clone());
        Err(error)
    }

    /// Writes what waits, and finishes when nothing does.
    fn go_on(self: &Rc<Self>) {
        let mut state = self.state.borrow_mut();
        let Some(file) = state.file.take() else { return };
        if state.waiting.is_empty() {
            match state.finish.take() {
                Some(promise) => {
                    let (failed, size) = (state.failed.take(), state.size);
                    drop(state);
                    self.finish(file, size, failed, promise);
                }
                None => state.file = Some(file),
            }
            return;
        }
        let (pieces, promises): (Vec<_>, Vec<_>) = state.waiting.drain(..).unzip();
        let failed = state.failed.clone();
        let is_over = state.size > state.room;
        if is_over {
            state.room = u64::MAX;
        }
        let size = state.size;
        drop(state);
        let account = &self.shared.account;
        let (Some(reactor), Some(root)) = (account.reactor.upgrade(), account.root()) else {
            return;
        };
        let path = self.path();
        let written = reactor.defer_to_thread(move || {
            let mut file = file;
            let mut write = |piece: Bytes| disk::write(&mut file, &path, &piece);
            let written = match failed {
                // What was written before it is not kept either.
                Some(_) => Ok(()),
                None if is_over => {
                    quota::check(&root.path, &root.settings.limits, &root.unique, size, 1)
                        .and_then(|()| pieces.into_iter().try_for_each(&mut write))
                }
                None => pieces.into_iter().try_for_each(&mut write),
            };
            (file, written)
        });
        let inner = Rc::clone(self);
        written.then(move |_, written| {
            let (file, written) = match written {
                Ok((file, written)) => (Some(file), written),
                Err(failure) => (None, Err(failure.into())),
            };
            let mut state = inner.state.borrow_mut();
            if let Err(error) = &written {
                state.failed.get_or_insert_with(|| error.clone());
            }
            let lost = file.is_none().then(|| state.finish.take()).flatten();
            state.file = file;
            drop(state);
            promises.into_iter().for_each(|promise| promise.settle(written.clone()));
            if let (Some(finish), Err(error)) = (lost, written) {
                finish.reject(error);
            }
            inner.go_on();
        });
    }

    fn finish(
        self: &Rc<Self>,
        file: File,
        size: u64,
        failed: Option<StoreError>,
        promise: Promise<Appended, StoreError>,
    ) {
        if let Some(error) = failed {
            promise.reject(error);
            return self.remove();
        }
        let inner = Rc::clone(self);
        let account = Rc::clone(&self.shared.account);
        account
            .spawn(async move {
                let added = inner.add(file, size).await;
                if added.is_err() {
                    inner.remove();
                }
                promise.settle(added);
                Ok(())
            })
            .detach();
    }

    async fn add(&self, file: File, size: u64) -> Done<Appended> {
        let account = &self.shared.account;
        let (path, date) = (self.path(), self.date);
        let synced = account.call(move |root| {
            disk::sync(&file, &path)?;
            Ok(root.unique.clone())
        });
        let unique: Unique = synced.await?;
        let (base, flags) = (self.base.clone(), self.flags.clone());
        let added = self.shared.work(move |work| {
            let path = work.folder.path.join("tmp").join(&base);
            work.add(&NewFile { path, base, size, flags, date }, &unique)
        });
        added.await
    }

    /// Removes the file. If that does not work, it is too old in 36 hours.
    fn remove(&self) {
        let path = self.path();
        self.shared.account.spawn(async_remove(Rc::clone(&self.shared), path)).detach();
    }
}

async fn async_remove(shared: Rc<Shared>, path: PathBuf) -> Done {
    let removed = shared.account.call(move |_| disk::remove(&path)).await;
    if let Err(error) = removed {
        tracing::debug!(error = %with_causes(&error), "an unfinished message stays for some time");
    }
    Ok(())
}
