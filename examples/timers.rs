//! Reminders: connection timers, which are cancelled with the connection, a repeating call, and an idle timeout.
//!
//! ```text
//! $ nc 127.0.0.1 8000
//! in 2000 tea is ready
//! every 900 tick
//! tick
//! tea is ready
//! tick
//! ```

mod cli;

use std::{collections::HashMap, process::ExitCode, time::Duration};

use cli::ServerArgs;
use sinew::{
    prelude::*,
    protocols::basic::{Line, LineHandler, LineReceiver, LineTransport, send_line},
};

/// Limit of pending reminders per connection.
const REMINDERS_MAX: usize = 100;

#[derive(Default)]
struct Reminders {
    waiting: HashMap<TimerId, String>,
    series: Option<LoopingCall>,
}

impl Reminders {
    /// A connection timer: the loop calls `timer_fired`, unless the connection has ended.
    fn remind(&mut self, transport: &Transport, delay: Duration, text: &str) {
        if self.waiting.len() < REMINDERS_MAX {
            let timer = transport.call_later(delay);
            self.waiting.extend(timer.map(|timer| (timer, text.to_owned())));
        }
    }

    /// A repeating call of the reactor. It is not tied to the connection, so it must be cancelled.
    fn repeat(&mut self, transport: &Transport, interval: Duration, text: &str) {
        self.stop();
        let Some(reactor) = transport.reactor() else { return };
        let (to, text) = (transport.clone(), text.to_owned());
        self.series = Some(reactor.call_every(interval, move |_| {
            // If the peer does not read, skip ticks instead of queueing them.
            if to.queued() == 0 {
                let _ = send_line(&to, &text);
            }
        }));
    }

    fn stop(&mut self) {
        self.series.take().map(|series| series.stop());
    }
}

impl LineHandler for Reminders {
    fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let (command, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let (millis, text) = rest.split_once(' ').unwrap_or((rest, ""));
        match (command, millis.parse().map(Duration::from_millis)) {
            ("in", Ok(delay)) => self.remind(transport, delay, text),
            ("every", Ok(interval)) if !interval.is_zero() => {
                self.repeat(transport, interval, text)
            }
            ("stop", _) => self.stop(),
            ("idle", Ok(timeout)) => transport.set_idle_timeout(timeout),
            _ => drop(send_line(transport, "in MS TEXT, every MS TEXT, stop, idle MS")),
        }
    }

    fn timer_fired(&mut self, transport: &mut LineTransport<'_>, timer: TimerId) {
        if let Some(text) = self.waiting.remove(&timer) {
            let _ = send_line(transport, text);
        }
    }

    fn idle_timeout(&mut self, transport: &mut LineTransport<'_>) {
        let _ = send_line(transport, "Good night.");
        transport.lose_connection();
    }

    fn connection_lost(&mut self, _: &mut LineTransport<'_>, _: &ConnectionLost) {
        self.stop();
    }
}

fn main() -> ExitCode {
    cli::main_about("Reminds its clients of what they ask it to", |args: ServerArgs| {
        let reactor = args.reactor()?;
        let port = args.listen.listen(&reactor, |_: &Peer| {
            LineReceiver::with_decoder(Line::lf_or_crlf(), Reminders::default())
        })?;
        cli::run(&reactor, port)
    })
}
