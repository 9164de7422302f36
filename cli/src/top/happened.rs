//! What the threads of `top` tell its loop. Data only.

use std::io;

use ratatui::crossterm::event::KeyEvent;
use sinew::reactor::Signal;

use super::model::Snapshot;

/// What can happen.
#[derive(Debug)]
pub(super) enum Happened {
    Pressed(KeyEvent),
    /// The size has changed, or the terminal wants to be drawn again.
    Redraw,
    Looked(Box<Snapshot>),
    Failed(String),
    /// An action is done, or not.
    Acted(String),
    /// A signal asks to end.
    Signalled(Signal),
    /// The terminal is gone.
    InputFailed(io::Error),
}
