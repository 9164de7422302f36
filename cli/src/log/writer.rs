//! The thread that writes the log, and the bounded queue to it: [`Writer`].

use sinew::reactor::with_causes;

use std::{
    io::{self, Write},
    os::unix::net::UnixDatagram,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use super::file::LogFile;

/// Messages that wait for the thread. Further ones are dropped, and counted in the log.
const QUEUE_MAX: usize = 8_192;
/// How long the end of the process waits for the thread.
const FLUSH_MAX: Duration = Duration::from_secs(5);

/// Where messages go.
#[derive(Debug)]
pub(super) enum Sink {
    StandardError,
    File(LogFile),
    Journal(UnixDatagram),
}

#[derive(Debug)]
enum Order {
    Write(Vec<u8>),
    Replace(Sink),
    Rotate,
    Flush(SyncSender<()>),
}

/// Passes messages to the thread. Its clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    orders: SyncSender<Order>,
    dropped: Arc<AtomicU64>,
}

impl Writer {
    pub(super) fn start(sink: Sink) -> io::Result<Self> {
        let (orders, received) = sync_channel(QUEUE_MAX);
        let dropped = Arc::new(AtomicU64::new(0));
        let this = Self { orders, dropped };
        let dropped = this.dropped.clone();
        thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || run(sink, &received, &dropped))?;
        Ok(this)
    }

    /// Does not block.
    pub(super) fn write(&self, message: Vec<u8>) {
        if self.orders.try_send(Order::Write(message)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The messages that were lost since the last call.
    pub(super) fn take_dropped(&self) -> u64 {
        if self.dropped.load(Ordering::Relaxed) == 0 {
            return 0;
        }
        self.dropped.swap(0, Ordering::Relaxed)
    }

    pub(super) fn replace(&self, sink: Sink) {
        let _ = self.orders.send(Order::Replace(sink));
    }

    pub(super) fn rotate(&self) {
        let _ = self.orders.send(Order::Rotate);
    }

    pub(super) fn flush(&self) {
        let (done, is_done) = sync_channel(1);
        if self.orders.try_send(Order::Flush(done)).is_ok() {
            let _ = is_done.recv_timeout(FLUSH_MAX);
        }
    }
}

fn run(mut sink: Sink, orders: &Receiver<Order>, dropped: &AtomicU64) {
    while let Ok(order) = orders.recv() {
        match order {
            Order::Write(message) => {
                if sink.write(&message).is_err() {
                    dropped.fetch_add(1, Ordering::Relaxed);
                }
            }
            Order::Replace(other) => {
                sink = other;
                if let Sink::File(file) = &mut sink
                    && let Err(error) = file.take_over()
                {
                    tracing::warn!(error = %with_causes(&error), "cannot open the log file again");
                }
            }
            Order::Rotate => {
                if let Sink::File(file) = &mut sink
                    && let Err(error) = file.rotate()
                {
                    tracing::warn!(error = %with_causes(&error), "cannot rotate the log file");
                }
            }
            Order::Flush(done) => {
                let _ = done.send(());
            }
        }
    }
}

impl Sink {
    fn write(&mut self, message: &[u8]) -> io::Result<()> {
        match self {
            Self::StandardError => io::stderr().write_all(message),
            Self::File(file) => file.append(message),
            Self::Journal(socket) => socket.send(message).map(drop),
        }
    }
}
