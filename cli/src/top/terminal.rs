//! The loop of `top`: takes what happens, changes the model, draws. Restores the terminal however it ends.

use std::{
    io,
    sync::mpsc::{self, Receiver, Sender},
    thread,
    time::Duration,
};

use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyEventKind},
};
use sinew::{
    reactor::{Reactor, Signal},
    transports::endpoint::ClientEndpoint,
};

use super::{
    fetch::{self, Order},
    happened::Happened,
    keys::{self, Wanted},
    model::Model,
    view,
};
use crate::{
    exit::{Code, Failure},
    process::end_by_signal,
};

/// How the loop has ended.
enum Ended {
    Quit,
    Signal(Signal),
}

pub(super) fn run(
    at: &ClientEndpoint,
    interval: Duration,
    connections: usize,
) -> Result<(), Failure> {
    let failed = |what: &'static str| move |error: io::Error| Failure::io(Code::Io, what, &error);
    let (sender, receiver) = mpsc::channel();
    let orders = fetch::start(at.clone(), interval, connections, sender.clone())
        .map_err(failed("could not start a thread"))?;
    watch_signals(sender.clone()).map_err(failed("could not start a thread"))?;
    // A panic of any thread restores the terminal before it is printed.
    let mut terminal = ratatui::try_init().map_err(failed("could not set the terminal up"))?;
    let read = read_input(sender).map_err(failed("could not start a thread"));
    let ended = read.and_then(|()| {
        show(&mut terminal, &receiver, &orders).map_err(failed("could not use the terminal"))
    });
    ratatui::restore();
    match ended? {
        Ended::Quit => Ok(()),
        Ended::Signal(signal) => raise(signal),
    }
}

fn show(
    terminal: &mut DefaultTerminal,
    happened: &Receiver<Happened>,
    orders: &Sender<Order>,
) -> io::Result<Ended> {
    let mut model = Model::default();
    terminal.draw(|frame| view::draw(&mut model, frame))?;
    for event in happened {
        let wanted = match event {
            Happened::Pressed(key) => keys::pressed(&mut model, key),
            Happened::Redraw => Wanted::Nothing,
            Happened::Looked(snapshot) => {
                model.looked(*snapshot);
                Wanted::Nothing
            }
            Happened::Failed(why) => {
                model.failed(&why);
                Wanted::Nothing
            }
            Happened::Acted(what) => {
                model.message = Some(what);
                Wanted::Nothing
            }
            Happened::Signalled(signal) => return Ok(Ended::Signal(signal)),
            Happened::InputFailed(error) => return Err(error),
        };
        // The thread that is asked ends with this function.
        match wanted {
            Wanted::Nothing => {}
            Wanted::Quit => return Ok(Ended::Quit),
            Wanted::Refresh => drop(orders.send(Order::Look)),
            Wanted::Act { action, id } => drop(orders.send(Order::Act { action, id })),
        }
        terminal.draw(|frame| view::draw(&mut model, frame))?;
    }
    Ok(Ended::Quit)
}

/// Waits for keys on a thread of its own: the system's wait for them cannot be ended otherwise.
fn read_input(happened: Sender<Happened>) -> io::Result<()> {
    let read = move || {
        loop {
            let told = happened.send(match event::read() {
                Ok(Event::Key(key)) if key.kind != KeyEventKind::Release => Happened::Pressed(key),
                Ok(_) => Happened::Redraw,
                Err(error) => Happened::InputFailed(error),
            });
            if told.is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("input".to_owned()).spawn(read).map(drop)
}

/// Signals that end a program do so after the terminal is restored.
fn watch_signals(happened: Sender<Happened>) -> io::Result<()> {
    let watch = move || -> Option<()> {
        let reactor = Reactor::builder().stop_signals(false).build().ok()?;
        let _watches: Vec<_> = [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT]
            .into_iter()
            .filter_map(|signal| {
                let happened = happened.clone();
                reactor
                    .on_signal(signal, move |reactor| {
                        let _ = happened.send(Happened::Signalled(signal));
                        // The second one ends the program at once.
                        let _ = reactor.stop();
                    })
                    .ok()
            })
            .collect();
        reactor.run().ok()
    };
    thread::Builder::new().name("signals".to_owned()).spawn(watch).map(drop)
}

/// Ends by the signal, so that the parent process learns that.
fn raise(signal: Signal) -> Result<(), Failure> {
    end_by_signal(signal.as_raw());
    let text = format!("could not end by signal {}", signal.as_raw());
    Err(Failure::new(Code::Software, text))
}
