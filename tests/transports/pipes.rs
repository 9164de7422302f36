//! Pipes and FIFOs, on every engine, with their other ends held by the test. Standard input and output are tested in
//! `tests/stdio.rs`.

use std::{
    cell::{Cell, RefCell},
    fs::{self, File},
    io::{self, PipeReader, PipeWriter, Read, Write},
    path::PathBuf,
    process::Command,
    rc::Rc,
    time::Duration,
};

use crate::support::lost_name::lost_name;
use crate::support::rest::assert_at_rest;
use crate::support::watchdog::Watchdog;
use sinew::{prelude::*, testing::assert_clean, transports::PipeError};

/// The callbacks of a protocol.
#[derive(Default)]
struct Notes {
    made: Cell<usize>,
    received: RefCell<Vec<u8>>,
    ended: Cell<bool>,
    lost: RefCell<Option<String>>,
    paused: Cell<bool>,
}

struct Noting(Rc<Notes>);

impl Protocol for Noting {
    fn connection_made(&mut self, _: &Transport) {
        assert!(self.0.received.borrow().is_empty() && self.0.lost.borrow().is_none());
        self.0.made.set(self.0.made.get() + 1);
    }

    fn data_received(&mut self, _: &Transport, data: &[u8]) {
        assert!(!self.0.ended.get(), "after the end");
        self.0.received.borrow_mut().extend_from_slice(data);
    }

    fn read_closed(&mut self, transport: &Transport) {
        assert!(!self.0.ended.replace(true), "it ends once");
        transport.lose_connection();
    }

    fn writing_paused(&mut self, _: &Transport) {
        self.0.paused.set(true);
    }

    fn writing_resumed(&mut self, _: &Transport) {
        self.0.paused.set(false);
    }

    fn connection_lost(&mut self, _: &Transport, reason: &ConnectionLost) {
        assert_eq!(self.0.made.get(), 1);
        assert!(self.0.lost.borrow_mut().replace(lost_name(reason)).is_none(), "it ends once");
    }
}

struct Fixture {
    reactor: Reactor,
    notes: Rc<Notes>,
}

fn on_every_engine(what: &str, scenario: impl Fn(&Fixture)) {
    for engine in Engine::available() {
        let _watchdog = Watchdog::new(format!("{what} on {engine}"));
        let reactor = Reactor::builder().engine(engine).build().expect("it is available");
        let fixture = Fixture { reactor, notes: Rc::default() };
        scenario(&fixture);
        assert_clean(&fixture.reactor);
    }
}

impl Fixture {
    fn until(&self, done: impl Fn(&Notes) -> bool) {
        while !done(&self.notes) {
            self.reactor.turn(Some(Duration::from_secs(10))).expect("the loop turns");
        }
    }

    fn lost(&self) -> String {
        self.until(|notes| notes.lost.borrow().is_some());
        self.notes.lost.borrow().clone().expect("it is lost")
    }

    fn protocol(&self) -> Noting {
        Noting(self.notes.clone())
    }

    fn reader(&self) -> (Transport, PipeWriter) {
        let (reader, writer) = io::pipe().expect("a pipe");
        let connection = self.reactor.open_pipe_reader(reader, self.protocol()).expect("it opens");
        (connection.transport().clone(), writer)
    }

    fn writer(&self) -> (Transport, PipeReader) {
        let (reader, writer) = io::pipe().expect("a pipe");
        let connection = self.reactor.open_pipe_writer(writer, self.protocol()).expect("it opens");
        (connection.transport().clone(), reader)
    }

    /// Nothing happens, and the loop sleeps.
    fn assert_asleep(&self) {
        assert_at_rest(&self.reactor);
    }
}

#[test]
fn written_data_are_read() {
    on_every_engine("a reader", |fixture| {
        let (transport, mut writer) = fixture.reader();
        for piece in ["one", "two"] {
            writer.write_all(piece.as_bytes()).unwrap();
            fixture.until(|notes| notes.received.borrow().ends_with(piece.as_bytes()));
        }
        assert_eq!(transport.write(b"backwards"), WriteStatus::Closed);
        fixture.assert_asleep();
        writer.write_all(b"three").unwrap();
        drop(writer);
        assert_eq!(fixture.lost(), "Done");
        assert_eq!(*fixture.notes.received.borrow(), b"onetwothree");
        assert!(fixture.notes.ended.get());
    });
}

#[test]
fn a_reader_may_close_first() {
    on_every_engine("a reader that goes", |fixture| {
        let (transport, mut writer) = fixture.reader();
        fixture.until(|notes| notes.made.get() == 1);
        transport.lose_connection();
        assert_eq!(fixture.lost(), "Closed");
        // A child started by another test may hold a copy of the reader for a moment.
        let error = std::iter::repeat_with(|| writer.write(b"x")).find_map(Result::err).unwrap();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_paused_reader_loses_nothing() {
    on_every_engine("a paused reader", |fixture| {
        let (transport, mut writer) = fixture.reader();
        transport.pause_reading();
        writer.write_all(b"later").unwrap();
        fixture.assert_asleep();
        drop(writer);
        fixture.assert_asleep();
        assert!(fixture.notes.received.borrow().is_empty());
        transport.resume_reading();
        assert_eq!(fixture.lost(), "Done");
        assert_eq!(*fixture.notes.received.borrow(), b"later");
    });
}

/// A graceful close of a pipe has no timeout: the reader either reads, or has closed it.
#[test]
fn a_writer_sends_everything_before_closing() {
    on_every_engine("a writer", |fixture| {
        let (transport, mut reader) = fixture.writer();
        let data: Vec<u8> = (0..3_000_000u32).map(|at| (at / 251) as u8).collect();
        assert_eq!(transport.write(&data), WriteStatus::AboveHighWatermark);
        fixture.until(|notes| notes.paused.get());
        fixture.assert_asleep();
        transport.lose_connection();
        assert_eq!(transport.write(b"late"), WriteStatus::Closed);
        fixture.assert_asleep();
        assert_eq!(fixture.reactor.leak_report().timers, 0);
        let rest = std::thread::spawn(move || {
            let mut all = Vec::new();
            reader.read_to_end(&mut all).map(|_| all)
        });
        assert_eq!(fixture.lost(), "Closed");
        assert!(rest.join().unwrap().unwrap() == data, "it is not what was written");
    });
}

#[test]
fn a_writer_is_notified_of_a_closed_reader() {
    on_every_engine("a writer to nobody", |fixture| {
        let (_, reader) = fixture.writer();
        fixture.until(|notes| notes.made.get() == 1);
        fixture.assert_asleep();
        drop(reader);
        assert_eq!(fixture.lost(), "Reset", "with nothing to send");
    });
    on_every_engine("a full writer to nobody", |fixture| {
        let (transport, reader) = fixture.writer();
        transport.write(&[7; 1 << 20]);
        fixture.until(|notes| notes.paused.get());
        drop(reader);
        assert_eq!(fixture.lost(), "Reset", "with much to send");
    });
}

#[test]
fn output_ends_with_eof() {
    on_every_engine("close_write", |fixture| {
        let (transport, mut reader) = fixture.writer();
        transport.write(b"all");
        transport.close_write();
        fixture.lost();
        let mut all = String::new();
        reader.read_to_string(&mut all).unwrap();
        assert_eq!(all, "all");
    });
}

#[test]
fn an_abort_drops_what_is_queued() {
    on_every_engine("abort", |fixture| {
        let (transport, mut reader) = fixture.writer();
        transport.write(&[7; 1 << 20]);
        fixture.until(|notes| notes.paused.get());
        transport.abort();
        assert_eq!(fixture.lost(), "Aborted");
        let mut some = Vec::new();
        reader.read_to_end(&mut some).unwrap();
        assert!(some.len() < 1 << 20, "nothing was dropped");
    });
}

#[test]
fn a_stop_ends_them() {
    on_every_engine("a stop", |fixture| {
        let (_, _writer) = fixture.reader();
        fixture.reactor.call_soon(|reactor| reactor.stop().expect("it runs"));
        fixture.reactor.run().expect("it is stopped");
        assert_eq!(fixture.lost(), "Shutdown");
    });
}

/// A path in a temporary folder, removed on drop.
struct Path(PathBuf);

impl Path {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("sinew-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder for temporary files");
        Self(folder.join(name))
    }

    fn fifo(name: &str) -> Self {
        let path = Self::new(name);
        let made = Command::new("mkfifo").arg(&path.0).status().expect("mkfifo(1) is everywhere");
        assert!(made.success());
        path
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.0.parent().expect("its folder"));
    }
}

/// Engines do not support regular files; epoll rejects them.
#[test]
fn regular_files_are_always_ready() {
    let path = Path::new("regular");
    let data: Vec<u8> = (0..1_000_000u32).map(|at| (at / 13) as u8).collect();
    on_every_engine("regular files", |fixture| {
        let file = File::create(&path.0).unwrap();
        let writer = fixture.reactor.open_pipe_writer(file, fixture.protocol()).expect("it opens");
        writer.transport().write(&data);
        writer.transport().lose_connection();
        assert_eq!(fixture.lost(), "Closed");
        *fixture.notes.lost.borrow_mut() = None;
        fixture.notes.made.set(0);

        let file = File::open(&path.0).unwrap();
        fixture.reactor.open_pipe_reader(file, fixture.protocol()).expect("it opens");
        assert_eq!(fixture.lost(), "Done");
        assert!(*fixture.notes.received.borrow() == data, "it is not what was written");
    });
}

#[test]
fn unpollable_files_are_an_error() {
    on_every_engine("a folder", |fixture| {
        let folder = File::open("/").unwrap();
        let opened = fixture.reactor.open_pipe_reader(folder, fixture.protocol());
        if opened.is_ok() {
            let why = fixture.lost();
            assert!(why.starts_with("Io("), "{why}");
        }
        fixture
            .until(|notes| Rc::strong_count(&fixture.notes) == 1 || notes.lost.borrow().is_some());
    });
}

#[test]
fn fifos_by_path() {
    on_every_engine("a fifo", |fixture| {
        // A new one each time: a process that another test starts has what is open here for a moment, the reader of the last one, too.
        let path = Path::fifo("fifo");
        let error = fixture.reactor.open_fifo_writer(&path.0, fixture.protocol()).err();
        assert!(matches!(error, Some(PipeError::NoReader { .. })), "{error:?}");
        fixture.reactor.open_fifo_reader(&path.0, fixture.protocol()).expect("it opens");
        fixture.until(|notes| notes.made.get() == 1);
        // No writer has opened the FIFO yet, which is not EOF.
        fixture.assert_asleep();
        assert!(!fixture.notes.ended.get());

        let sender = Rc::new(Notes::default());
        let writer = fixture.reactor.open_fifo_writer(&path.0, Noting(sender.clone()));
        let writer = writer.expect("somebody reads").transport().clone();
        writer.write(b"by name");
        writer.lose_connection();
        assert_eq!(fixture.lost(), "Done");
        assert_eq!(*fixture.notes.received.borrow(), b"by name");
        assert_eq!(sender.lost.borrow().as_deref(), Some("Closed"));
    });
}

#[test]
fn paths_of_other_file_types() {
    let path = Path::new("plain");
    fs::write(&path.0, "").unwrap();
    on_every_engine("no fifo", |fixture| {
        let error = fixture.reactor.open_fifo_reader(&path.0, fixture.protocol()).unwrap_err();
        assert_eq!(error.to_string(), format!("{} is not a FIFO", path.0.display()));
        let missing = path.0.with_extension("missing");
        let error = fixture.reactor.open_fifo_writer(&missing, fixture.protocol()).unwrap_err();
        let PipeError::Open { path, source } = &error else { panic!("{error}") };
        assert_eq!((path, source.kind()), (&missing, io::ErrorKind::NotFound));
        fixture.until(|_| Rc::strong_count(&fixture.notes) == 1);
    });
}
