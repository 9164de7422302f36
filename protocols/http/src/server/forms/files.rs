//! Uploaded files: [`UploadedFile`], and [`Collector`], which collects a multipart form and writes its files on threads.

use std::{
    cell::RefCell,
    collections::VecDeque,
    fmt,
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    rc::Rc,
};

use sinew_transports::reactor::{Failure, Promise, Reactor};
use tempfile::NamedTempFile;

use super::{Form, FormFailure, FormLimits, PartReceiver};
use crate::{codec::PartHead, server::BodyControl};

/// A file of a form, in a temporary file that only this user can read, and that is deleted on drop.
pub struct UploadedFile {
    name: String,
    file_name: String,
    content_type: Option<String>,
    len: u64,
    /// `None` while a thread writes it, or if nothing was written.
    file: Option<NamedTempFile>,
}

impl UploadedFile {
    /// The name of the form field.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file name that the client has sent. It may contain a path, or worse: never open a file by it.
    #[must_use]
    pub fn file_name(&self) -> &str {
        &self.file_name
    }

    /// The content type that the client has sent.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// Its length in bytes.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether it is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The path of the temporary file.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.file.as_ref().map(NamedTempFile::path)
    }

    /// Opens it for reading, from its start. Blocks.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened.
    pub fn open(&self) -> io::Result<File> {
        match &self.file {
            Some(file) => file.reopen(),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    /// Moves it to this path, and replaces an existing file. Blocks.
    ///
    /// # Errors
    ///
    /// If the file cannot be moved, for example to another file system than
    /// [`FormLimits::folder`]. The temporary file is deleted then.
    pub fn persist(self, path: impl AsRef<Path>) -> io::Result<File> {
        match self.file {
            Some(file) => file.persist(path).map_err(|error| error.error),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl fmt::Debug for UploadedFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadedFile")
            .field("name", &self.name)
            .field("file_name", &self.file_name)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

/// Collects a form.
pub(super) struct Collector {
    limits: FormLimits,
    total: u64,
    part: Part,
    state: Rc<RefCell<State>>,
    reactor: Reactor,
}

/// The part that is being received.
enum Part {
    None,
    Field {
        name: String,
        value: Vec<u8>,
    },
    /// Its position in the form.
    File(usize),
}

/// State shared by the receiver and the jobs.
struct State {
    form: Form,
    folder: Option<PathBuf>,
    /// Data to be written, and the file.
    queue: VecDeque<(usize, Vec<u8>)>,
    is_writing: bool,
    /// The body is paused until everything is written.
    body: Option<BodyControl>,
    is_whole: bool,
    /// `None` once it is settled.
    promise: Option<Promise<Form, FormFailure>>,
}

type Written = io::Result<NamedTempFile>;

impl Collector {
    pub(super) fn new(
        reactor: &Reactor,
        limits: &FormLimits,
        promise: Promise<Form, FormFailure>,
    ) -> Self {
        let state = State {
            form: Form::default(),
            folder: limits.folder.clone(),
            queue: VecDeque::new(),
            is_writing: false,
            body: None,
            is_whole: false,
            promise: Some(promise),
        };
        let state = Rc::new(RefCell::new(state));
        Self { limits: limits.clone(), total: 0, part: Part::None, state, reactor: reactor.clone() }
    }

    fn take(&mut self, body: &BodyControl, data: &[u8]) -> Result<(), FormFailure> {
        self.total += data.len() as u64;
        if self.total > self.limits.total_max {
            return Err(FormFailure::TooLong { max: self.limits.total_max });
        }
        match &mut self.part {
            Part::None => {}
            Part::Field { value, .. } => {
                if value.len() + data.len() > self.limits.value_max {
                    return Err(FormFailure::ValueTooLong { max: self.limits.value_max });
                }
                value.extend_from_slice(data);
            }
            Part::File(at) => {
                let at = *at;
                let mut state = self.state.borrow_mut();
                let Some(file) = state.form.files.get_mut(at) else { return Ok(()) };
                file.len += data.len() as u64;
                if file.len > self.limits.file_max {
                    return Err(FormFailure::FileTooLong { max: self.limits.file_max });
                }
                state.queue.push_back((at, data.to_vec()));
                state.body = Some(body.clone());
                body.pause();
                drop(state);
                State::write_next(&self.state, &self.reactor);
            }
        }
        Ok(())
    }
}

impl PartReceiver for Collector {
    fn part_begun(&mut self, head: PartHead) {
        let name = head.name().unwrap_or_default();
        self.part = match head.file_name() {
            None => Part::Field { name, value: Vec::new() },
            Some(file_name) => {
                let mut state = self.state.borrow_mut();
                state.form.files.push(UploadedFile {
                    name,
                    file_name,
                    content_type: head.content_type().map(str::to_owned),
                    len: 0,
                    file: None,
                });
                let at = state.form.files.len() - 1;
                // So that an empty file exists as well.
                state.queue.push_back((at, Vec::new()));
                Part::File(at)
            }
        };
    }

    fn data_received(&mut self, body: &BodyControl, data: &[u8]) {
        if self.state.borrow().promise.is_none() {
            return;
        }
        if let Err(failure) = self.take(body, data) {
            State::settle(&self.state, Err(failure));
        }
    }

    fn part_ended(&mut self) {
        if let Part::Field { name, value } = std::mem::replace(&mut self.part, Part::None) {
            let value = String::from_utf8_lossy(&value).into_owned();
            self.state.borrow_mut().form.fields.push((name, value));
        }
    }

    fn parts_ended(self: Box<Self>, end: Result<(), FormFailure>) {
        match end {
            Ok(()) => {
                self.state.borrow_mut().is_whole = true;
                State::write_next(&self.state, &self.reactor);
            }
            Err(failure) => State::settle(&self.state, Err(failure)),
        }
    }
}

impl State {
    /// Has a thread write the queued data of one file, unless one is writing; reports when everything is written.
    fn write_next(this: &Rc<RefCell<Self>>, reactor: &Reactor) {
        let mut state = this.borrow_mut();
        if state.is_writing {
            return;
        }
        let Some((at, mut data)) = state.queue.pop_front() else {
            if let Some(body) = state.body.take() {
                body.resume();
            }
            let is_whole = state.is_whole;
            drop(state);
            if is_whole {
                Self::settle(this, Ok(()));
            }
            return;
        };
        while state.queue.front().is_some_and(|(other, _)| *other == at) {
            let more = state.queue.pop_front();
            more.iter().for_each(|(_, more)| data.extend_from_slice(more));
        }
        state.is_writing = true;
        let file = state.form.files.get_mut(at).and_then(|file| file.file.take());
        let folder = state.folder.clone();
        drop(state);
        let written = reactor.defer_to_thread(move || write(file, folder.as_deref(), &data));
        let this = Rc::clone(this);
        written.then(move |reactor, written: Result<Written, Failure>| {
            let mut state = this.borrow_mut();
            state.is_writing = false;
            let failure = match written {
                Ok(Ok(file)) => {
                    if let Some(uploaded) = state.form.files.get_mut(at) {
                        uploaded.file = Some(file);
                    }
                    drop(state);
                    return Self::write_next(&this, reactor);
                }
                Ok(Err(error)) => FormFailure::Io(error),
                Err(failure) => failure.into(),
            };
            drop(state);
            Self::settle(&this, Err(failure));
        });
    }

    fn settle(this: &Rc<RefCell<Self>>, end: Result<(), FormFailure>) {
        let mut state = this.borrow_mut();
        let form = std::mem::take(&mut state.form);
        state.queue.clear();
        // Further input is dropped.
        let body = state.body.take();
        let promise = state.promise.take();
        drop(state);
        if let Some(body) = body {
            body.resume();
        }
        if let Some(promise) = promise {
            promise.settle(end.map(|()| form));
        }
    }
}

/// Writes to a file, and creates it if necessary. On a thread.
fn write(file: Option<NamedTempFile>, folder: Option<&Path>, data: &[u8]) -> Written {
    let mut file = match (file, folder) {
        (Some(file), _) => file,
        (None, Some(folder)) => NamedTempFile::new_in(folder)?,
        (None, None) => NamedTempFile::new()?,
    };
    file.write_all(data)?;
    Ok(file)
}
