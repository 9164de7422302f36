//! Tests of the model by keys and looks, without a terminal.

use ratatui::crossterm::event::{KeyCode, KeyEvent};
use sinew::application::inspect::report::{Counts, ShardStatus};

use super::*;
use crate::top::keys::{Wanted, pressed};

/// A connection with this number, whose peer is port number 1,000 plus it.
pub(in crate::top) fn connection(number: u64, received: u64) -> ConnectionStatus {
    let mut status = ConnectionStatus::default();
    status.id = format!("0-{number:x}");
    status.peer = format!("192.0.2.1:{}", 1_000 + number);
    status.state = "open".to_owned();
    status.kind = "tcp".to_owned();
    status.protocol = Some("chat::Member".to_owned());
    let mut counts = Counts::default();
    (counts.received, counts.age_ms) = (received, 61_000);
    status.counts = Some(counts);
    status
}

pub(in crate::top) fn snapshot(at: f64, connections: Vec<ConnectionStatus>) -> Snapshot {
    let mut status = Status::default();
    (status.program, status.pid) = ("chat".to_owned(), 7);
    status.total.connections = connections.len() as u64;
    status.total.bytes_received = (at * 1_000.0) as u64;
    status.shards = vec![ShardStatus::default()];
    Snapshot { status, connections, is_partial: false, at }
}

fn press(model: &mut Model, keys: &str) -> Wanted {
    let mut wanted = Wanted::Nothing;
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            '\u{8}' => KeyCode::Backspace,
            key => KeyCode::Char(key),
        };
        wanted = pressed(model, KeyEvent::from(code));
    }
    wanted
}

fn peers(model: &Model) -> Vec<String> {
    model.listed().iter().map(|one| one.status.peer.clone()).collect()
}

#[test]
fn rates_are_of_two_looks_at_one_process() {
    let mut model = Model::default();
    model.looked(snapshot(1.0, vec![connection(1, 100)]));
    assert_eq!((model.rates, model.listed()[0].rate), (Rates::default(), 0.0));
    model.looked(snapshot(3.0, vec![connection(1, 700), connection(2, 500)]));
    assert_eq!(model.rates.received, 1_000.0);
    let rates: Vec<_> = model.listed().iter().map(|one| one.rate).collect();
    assert_eq!(rates, [300.0, 0.0]);
    let mut restarted = snapshot(4.0, vec![connection(1, 900)]);
    restarted.status.pid = 8;
    model.looked(restarted);
    assert_eq!((model.rates, model.listed()[0].rate), (Rates::default(), 0.0));
    // The clock stands still, or a counter has gone back.
    let mut odd = snapshot(4.0, vec![connection(1, 0)]);
    odd.status.pid = 8;
    model.looked(odd);
    assert_eq!(model.listed()[0].rate, 0.0);
}

#[test]
fn the_list_is_sorted_reversed_and_filtered() {
    let mut model = Model::default();
    let mut paused = connection(3, 5);
    paused.paused = vec!["user".to_owned()];
    model.looked(snapshot(1.0, vec![connection(1, 10), connection(2, 30), paused]));
    while model.sorted_by != Column::Received {
        press(&mut model, "s");
    }
    assert_eq!(peers(&model), ["192.0.2.1:1002", "192.0.2.1:1001", "192.0.2.1:1003"]);
    press(&mut model, "r");
    assert_eq!(peers(&model), ["192.0.2.1:1003", "192.0.2.1:1001", "192.0.2.1:1002"]);
    press(&mut model, "/USEX\u{8}R\n");
    assert_eq!((peers(&model), &model.mode), (vec!["192.0.2.1:1003".to_owned()], &Mode::List));
    press(&mut model, "/:1002");
    assert_eq!(peers(&model).len(), 0);
    press(&mut model, "\u{1b}");
    assert_eq!((peers(&model).len(), model.mode == Mode::List), (3, true));
    for _ in Column::ALL {
        press(&mut model, "s");
    }
    assert_eq!(model.sorted_by, Column::Received);
}

#[test]
fn the_cursor_stays_on_its_connection_when_the_order_changes() {
    let mut model = Model { sorted_by: Column::Received, ..Model::default() };
    model.looked(snapshot(1.0, (0..10).map(|n| connection(n, n)).collect()));
    press(&mut model, "jj");
    assert_eq!(model.selected().expect("one").status.peer, "192.0.2.1:1007");
    model.looked(snapshot(2.0, (0..10).map(|n| connection(n, 100 - n)).collect()));
    assert_eq!(model.selected().expect("one").status.peer, "192.0.2.1:1007");
    press(&mut model, "G");
    assert_eq!(model.selected().expect("one").status.peer, "192.0.2.1:1009");
    press(&mut model, "gkkk");
    assert_eq!(model.selected().expect("one").status.peer, "192.0.2.1:1000");
    model.looked(snapshot(3.0, Vec::new()));
    assert!(model.selected().is_none());
    press(&mut model, "jkGg\ncxp");
    assert_eq!(model.mode, Mode::List);
}

#[test]
fn actions_are_asked_about_and_done_for_the_connection_that_was_shown() {
    let mut model = Model::default();
    model.looked(snapshot(1.0, vec![connection(1, 10), connection(2, 20)]));
    model.sorted_by = Column::Received;
    let act = |action| Wanted::Act { action, id: "0-2".to_owned() };
    assert_eq!(press(&mut model, "c"), Wanted::Nothing);
    // It is gone meanwhile: the question is about it all the same, and not about the next one.
    model.looked(snapshot(2.0, vec![connection(1, 10)]));
    assert_eq!(press(&mut model, "y"), act(Action::Close));
    model.looked(snapshot(3.0, vec![connection(1, 10), connection(2, 20)]));
    assert_eq!(press(&mut model, "xn"), Wanted::Nothing);
    assert_eq!(model.message.as_deref(), Some("abort: not done"));
    assert_eq!(press(&mut model, "x\n"), Wanted::Nothing);
    assert_eq!(press(&mut model, "xy"), act(Action::Abort));
    assert_eq!(press(&mut model, "\npy"), act(Action::Pause));
    assert_eq!(model.mode, Mode::Detail);
    let mut paused = connection(2, 20);
    paused.paused = vec!["watermark".to_owned(), "user".to_owned()];
    model.looked(snapshot(4.0, vec![connection(1, 10), paused]));
    assert_eq!(press(&mut model, "py"), act(Action::Resume));
    // In detail, another connection does not take the place of one that is gone.
    model.looked(snapshot(5.0, vec![connection(1, 10)]));
    assert!(model.selected().is_none());
    assert_eq!(press(&mut model, "cy"), Wanted::Nothing);
    assert_eq!(press(&mut model, "qq"), Wanted::Quit);
}

#[test]
fn a_failed_look_keeps_what_was_seen_and_says_so() {
    let mut model = Model::default();
    model.looked(snapshot(1.0, vec![connection(1, 10)]));
    model.failed("it is gone");
    assert_eq!((model.known(), model.is_lost), (1, true));
    assert_eq!(model.message.as_deref(), Some("no answer: it is gone"));
    model.looked(snapshot(2.0, vec![connection(1, 10)]));
    assert_eq!((model.message.as_deref(), model.is_lost), (None, false));
}

#[test]
fn every_key_in_every_mode_is_harmless() {
    let all = "cghjkprqsxySG/? 124\n\u{1b}\u{8}";
    for first in all.chars() {
        for second in all.chars() {
            for third in "y\n".chars() {
                let mut model = Model::default();
                model.looked(snapshot(1.0, vec![connection(1, 10)]));
                press(&mut model, &[first, second, third].iter().collect::<String>());
                model.looked(snapshot(2.0, Vec::new()));
                assert!(model.listed().is_empty());
            }
        }
    }
}
