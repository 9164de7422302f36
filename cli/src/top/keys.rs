//! What keys do: they change the model, and may ask for more. Pure.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{
    columns::Column,
    model::{Mode, Model, View},
};
use crate::look::Action;

/// Lines of a page, where the height of the screen is not known.
const PAGE: isize = 15;

/// Longest text of a filter, in characters.
const FILTER_MAX: usize = 100;

/// What is to be done beyond the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Nothing,
    /// Leave `top`.
    Quit,
    /// Look again now.
    Refresh,
    /// Do this to a connection.
    Act {
        action: Action,
        id: String,
    },
}

/// A key was pressed.
pub(super) fn pressed(model: &mut Model, key: KeyEvent) -> Wanted {
    if key.modifiers.contains(KeyModifiers::CONTROL) && matches!(key.code, KeyCode::Char('c')) {
        return Wanted::Quit;
    }
    match model.mode.clone() {
        Mode::List => in_list(model, key.code),
        Mode::Filter => in_filter(model, key.code),
        Mode::Detail => in_detail(model, key.code),
        Mode::Confirm { action, id, from_detail, .. } => {
            model.mode = if from_detail { Mode::Detail } else { Mode::List };
            match key.code {
                KeyCode::Char('y' | 'Y') => Wanted::Act { action, id },
                _ => {
                    model.message = Some(format!("{action}: not done"));
                    Wanted::Nothing
                }
            }
        }
        Mode::Help => {
            model.mode = Mode::List;
            Wanted::Nothing
        }
    }
}

fn in_list(model: &mut Model, key: KeyCode) -> Wanted {
    match key {
        KeyCode::Char('q') => return Wanted::Quit,
        KeyCode::Char(' ') => return Wanted::Refresh,
        KeyCode::Char('?' | 'h') | KeyCode::F(1) => model.mode = Mode::Help,
        KeyCode::Char('/') => {
            model.show(View::Connections);
            model.mode = Mode::Filter;
        }
        KeyCode::Esc => model.filter.clear(),
        KeyCode::Enter => model.open_detail(),
        KeyCode::Char('s') | KeyCode::Right => model.sort_by_next(true),
        KeyCode::Char('S') | KeyCode::Left => model.sort_by_next(false),
        KeyCode::Char('r') => model.descending = !model.descending,
        KeyCode::Char(digit @ '1'..='4') => {
            let index = digit as usize - '1' as usize;
            model.show(View::ALL[index]);
        }
        KeyCode::Tab => {
            let at = View::ALL.iter().position(|view| *view == model.view).unwrap_or(0);
            model.show(View::ALL[(at + 1) % View::ALL.len()]);
        }
        KeyCode::Up | KeyCode::Char('k') => model.move_by(-1),
        KeyCode::Down | KeyCode::Char('j') => model.move_by(1),
        KeyCode::PageUp => model.move_by(-PAGE),
        KeyCode::PageDown => model.move_by(PAGE),
        KeyCode::Home | KeyCode::Char('g') => model.move_by(isize::MIN),
        KeyCode::End | KeyCode::Char('G') => model.move_by(isize::MAX),
        _ => return on_connection(model, key),
    }
    Wanted::Nothing
}

fn in_detail(model: &mut Model, key: KeyCode) -> Wanted {
    match key {
        KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q') => {
            model.mode = Mode::List;
            Wanted::Nothing
        }
        KeyCode::Char(' ') => Wanted::Refresh,
        _ => on_connection(model, key),
    }
}

/// The actions, each of which is asked about first.
fn on_connection(model: &mut Model, key: KeyCode) -> Wanted {
    match key {
        KeyCode::Char('c') => model.confirm(Action::Close),
        KeyCode::Char('x') | KeyCode::Delete => model.confirm(Action::Abort),
        KeyCode::Char('p') => {
            let is_paused =
                model.selected().is_some_and(|one| one.status.paused.iter().any(|by| by == "user"));
            model.confirm(if is_paused { Action::Resume } else { Action::Pause });
        }
        _ => {}
    }
    Wanted::Nothing
}

fn in_filter(model: &mut Model, key: KeyCode) -> Wanted {
    match key {
        KeyCode::Enter => model.mode = Mode::List,
        KeyCode::Esc => {
            model.filter.clear();
            model.mode = Mode::List;
        }
        KeyCode::Backspace => drop(model.filter.pop()),
        KeyCode::Char(character) if model.filter.chars().count() < FILTER_MAX => {
            model.filter.push(character);
        }
        _ => {}
    }
    Wanted::Nothing
}

/// The keys and what they do, for the help.
pub(super) const HELP: [(&str, &str); 13] = [
    ("up, down, j, k", "move; Page Up, Page Down, Home, End"),
    ("1 2 3 4, Tab", "connections, ports, reactors, callbacks"),
    ("s, S", "sort by the next column, the one before"),
    ("r", "reverse the order"),
    ("/", "filter by peer, state, kind or protocol; Esc shows all"),
    ("Enter", "one connection in detail"),
    ("p", "pause it, or resume it, after asking"),
    ("c", "close it, after asking: what is queued is sent"),
    ("x", "abort it, after asking: with a reset"),
    ("Space", "look again now"),
    ("? h", "this help"),
    ("Esc", "back"),
    ("q", "quit"),
];

/// The column that the list is sorted by, with an arrow.
pub(super) fn head(column: Column, sorted_by: Column, descending: bool) -> String {
    match (column == sorted_by, descending) {
        (false, _) => column.title().to_owned(),
        (true, true) => format!("{} v", column.title()),
        (true, false) => format!("{} ^", column.title()),
    }
}
