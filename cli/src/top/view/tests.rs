//! Tests of what is drawn, in a terminal that is memory.

use ratatui::{
    Terminal,
    backend::TestBackend,
    crossterm::event::{KeyCode, KeyEvent},
};
use sinew::application::inspect::report::{Longest, PortStatus, Slow};

use super::*;
use crate::top::{
    keys::pressed,
    model::tests::{connection, snapshot},
};

/// The screen as lines without trailing blanks.
fn screen(model: &mut Model, width: u16, height: u16) -> Vec<String> {
    let mut terminal =
        Terminal::new(TestBackend::new(width, height)).expect("a terminal in memory");
    terminal.draw(|frame| draw(model, frame)).expect("it is in memory");
    let buffer = terminal.backend().buffer().clone();
    let line = |y: u16| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..height).map(|y| line(y).trim_end().to_owned()).collect()
}

fn model(connections: u64) -> Model {
    let mut model = Model::default();
    let mut snapshot = snapshot(1.0, (0..connections).map(|n| connection(n, n * 1_000)).collect());
    let mut port = PortStatus::default();
    (port.address, port.kind) = ("127.0.0.1:7000".to_owned(), "tcp".to_owned());
    let (mut slow, mut long) = (Slow::default(), Longest::default());
    (slow.name, slow.took_us) = ("chat::Member with 192.0.2.1:1".to_owned(), 250_000);
    (long.name, long.longest_us, long.count) = ("chat::Member".to_owned(), 300_000, 2);
    let shard = &mut snapshot.status.shards[0];
    (shard.ports, shard.slow, shard.longest) = (vec![port], vec![slow], vec![long]);
    model.looked(snapshot);
    model.sorted_by = Column::Received;
    model
}

fn press(model: &mut Model, key: KeyCode) {
    let _ = pressed(model, KeyEvent::from(key));
}

#[test]
fn a_screen_of_usual_size() {
    let lines = screen(&mut model(2), 120, 10);
    assert!(lines[0].starts_with("chat  process 7  1 reactor  for 0 s"), "{lines:#?}");
    assert!(lines[1].starts_with("2 connections, 0/s new"), "{lines:#?}");
    assert!(lines[2].starts_with(" 1 connections  2 ports  3 reactors  4 callbacks"), "{lines:#?}");
    assert!(lines[3].starts_with("PEER                     PER S       RECEIVED v"), "{lines:#?}");
    assert!(lines[4].starts_with("192.0.2.1:1001           0 B         1000 B"), "{lines:#?}");
    assert!(lines[5].starts_with("192.0.2.1:1000"), "{lines:#?}");
    assert!(lines[9].starts_with("? help"), "{lines:#?}");
}

#[test]
fn nothing_panics_on_small_terminals_in_any_mode() {
    for key in ['-', '?', '\n', 'c', '/', '2', '3', '4'] {
        for width in [0, 1, 2, 5, 20, 40, 80] {
            for height in [0, 1, 2, 3, 7, 8, 9, 24] {
                let mut model = model(30);
                press(&mut model, if key == '\n' { KeyCode::Enter } else { KeyCode::Char(key) });
                screen(&mut model, width, height);
                screen(&mut Model::default(), width, height);
            }
        }
    }
    assert!(screen(&mut model(3), 30, 3)[1].starts_with("192.0.2.1:1002"));
    assert!(screen(&mut model(3), 30, 1)[0].starts_with("192.0.2.1:1002"));
}

#[test]
fn the_list_scrolls_with_the_cursor() {
    let mut model = model(100);
    for _ in 0..20 {
        press(&mut model, KeyCode::Down);
    }
    let lines = screen(&mut model, 80, 10);
    assert!(lines[8].starts_with("192.0.2.1:1079"), "{lines:#?}");
    press(&mut model, KeyCode::End);
    assert!(screen(&mut model, 80, 10)[8].starts_with("192.0.2.1:1000"));
    press(&mut model, KeyCode::Home);
    assert!(screen(&mut model, 80, 10)[4].starts_with("192.0.2.1:1099"));
}

#[test]
fn other_views_details_questions_and_help() {
    let mut model = model(2);
    press(&mut model, KeyCode::Char('2'));
    assert!(screen(&mut model, 100, 10)[4].contains("127.0.0.1:7000"));
    press(&mut model, KeyCode::Tab);
    assert!(screen(&mut model, 100, 10)[3].starts_with("REACTOR  ENGINE"));
    press(&mut model, KeyCode::Char('4'));
    let lines = screen(&mut model, 100, 10);
    assert!(lines[4].contains("250.0 ms") && lines[5].contains("300.0 ms"), "{lines:#?}");
    press(&mut model, KeyCode::Char('1'));
    press(&mut model, KeyCode::Enter);
    let text = screen(&mut model, 100, 30).join("\n");
    assert!(
        text.contains("peer          192.0.2.1:1001") && text.contains("chat::Member"),
        "{text}"
    );
    press(&mut model, KeyCode::Char('x'));
    let text = screen(&mut model, 100, 30).join("\n");
    assert!(text.contains("abort the connection with 192.0.2.1:1001? y/n"), "{text}");
    press(&mut model, KeyCode::Char('n'));
    press(&mut model, KeyCode::Esc);
    press(&mut model, KeyCode::Char('?'));
    let text = screen(&mut model, 100, 30).join("\n");
    assert!(text.contains("pause it, or resume it, after asking"), "{text}");
}

#[test]
fn names_from_outside_cannot_control_the_terminal() {
    let mut hostile = connection(1, 1);
    hostile.peer = "\u{1b}[2J\u{202e}x\r\n".to_owned();
    hostile.protocol = Some("\u{9b}31m".to_owned());
    hostile.state = "\u{7}".to_owned();
    let mut model = Model::default();
    let mut snapshot = snapshot(1.0, vec![hostile]);
    snapshot.status.program = "\u{1b}]0;x\u{7}".to_owned();
    model.looked(snapshot);
    model.failed("\u{1b}c");
    for key in [KeyCode::Null, KeyCode::Enter, KeyCode::Char('c')] {
        press(&mut model, key);
        let text = screen(&mut model, 200, 30).concat();
        assert!(!text.chars().any(|c| c.is_control() || c == '\u{202e}'), "{text}");
    }
}
