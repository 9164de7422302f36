//! The room, with guests in memory.

use std::{rc::Rc, time::Duration};

use sinew::{
    prelude::*,
    transports::memory::{self, Wire},
};

use super::{
    door::Door,
    lines::{Guest, Lines},
    room::{Building, Room, Rules},
};

struct Hall {
    reactor: Reactor,
    room: Rc<Room>,
    door: Rc<Door<Lines>>,
}

impl Hall {
    fn new() -> Self {
        let rules = Rules { welcome: Some("Be kind.".into()), ..Rules::default() };
        let room = Rc::new(Room::new(0, Building::new(rules), false));
        let door = Door::open(Rc::clone(&room));
        Self { reactor: Reactor::simulated(0), room, door }
    }

    fn connect(&self, config: StreamConfig) -> Wire {
        let guest = Guest::arrive(self.door.clone());
        let (_, wire) = memory::connect(&self.reactor, config, guest).unwrap();
        self.settle();
        wire
    }

    /// A guest who has this name.
    fn join(&self, name: &str) -> Wire {
        let wire = self.connect(StreamConfig::default());
        self.says(&wire, name);
        let heard = self.heard(&wire);
        assert!(heard.contains("Be kind.\r\nWelcome. "), "{heard}");
        wire
    }

    fn says(&self, wire: &Wire, line: &str) {
        wire.receive(format!("{line}\r\n").as_bytes());
        self.settle();
    }

    fn heard(&self, wire: &Wire) -> String {
        String::from_utf8(wire.take(usize::MAX)).unwrap()
    }

    fn settle(&self) {
        self.reactor.advance(Duration::from_millis(20)).unwrap();
    }
}

#[test]
fn guests_join_talk_and_leave() {
    let hall = Hall::new();
    let ann = hall.join("ann");
    let bob = hall.join("bob");
    assert_eq!(hall.heard(&ann), "* bob joined\r\n");
    hall.says(&bob, "hello\x1b[2J all");
    assert_eq!(hall.heard(&ann), "bob: hello[2J all\r\n");
    hall.says(&ann, "/to bob secret");
    assert_eq!(hall.heard(&bob), "(ann) secret\r\n");
    hall.says(&ann, "/nick anna");
    assert_eq!(hall.heard(&ann), "You are anna now.\r\n");
    assert_eq!(hall.heard(&bob), "* ann is anna now\r\n");
    hall.says(&bob, "/who");
    assert_eq!(hall.heard(&bob), "anna bob\r\n");
    hall.says(&bob, "/quit");
    assert!(hall.heard(&ann).ends_with("* bob left: bye\r\n"));
}

#[test]
fn names_are_checked() {
    let hall = Hall::new();
    let ann = hall.join("ann");
    let other = hall.connect(StreamConfig::default());
    assert_eq!(hall.heard(&other), "Your name?\r\n");
    for name in ["", "ann", "a b", "a/b", "abcdefghijklmnopqrstu"] {
        hall.says(&other, name);
        assert!(hall.heard(&other).contains("A short name"), "{name}");
    }
    hall.says(&other, "/quit");
    assert_eq!(hall.heard(&ann), "");
    assert_eq!(hall.room.all_names(), ["ann"]);
}

#[test]
fn who_says_no_name_is_dropped() {
    let hall = Hall::new();
    let silent = hall.connect(StreamConfig::default());
    hall.reactor.advance(Duration::from_secs(60)).unwrap();
    assert!(hall.heard(&silent).ends_with("You have not said a name.\r\n"));
    assert!(silent.is_closing());
}

#[test]
fn a_slow_reader_is_dropped_and_the_others_are_not() {
    let hall = Hall::new();
    let ann = hall.join("ann");
    let slow = hall.connect(StreamConfig::default().watermarks(1 << 10, 512).write_limit(4 << 10));
    hall.says(&slow, "slow");
    slow.set_capacity(0);
    hall.heard(&ann);
    for _ in 0..20 {
        hall.says(&ann, &"x".repeat(500));
    }
    assert!(hall.heard(&ann).contains("* slow left: more than 4096 bytes queued for sending\r\n"));
    assert_eq!(hall.room.all_names(), ["ann"]);
}

/// As after an upgrade: guests go on under their names, and nobody hears of it.
#[test]
fn guests_can_go_on_in_the_next_process() {
    let hall = Hall::new();
    let ann = hall.join("ann");
    let rebuilt = |name: &[u8]| {
        let guest = Guest::rebuilt(hall.door.clone(), name).unwrap();
        let (_, wire) = memory::connect(&hall.reactor, StreamConfig::default(), guest).unwrap();
        hall.settle();
        wire
    };
    let bob = rebuilt(b"bob");
    assert_eq!((hall.heard(&ann), hall.heard(&bob)), (String::new(), String::new()));
    hall.says(&bob, "still here");
    assert_eq!(hall.heard(&ann), "bob: still here\r\n");
    // One who had no name yet, and one whose name is taken.
    let nameless = rebuilt(b"");
    assert_eq!(hall.heard(&nameless), "");
    hall.says(&nameless, "eve");
    assert!(hall.heard(&nameless).contains("Welcome. "));
    assert!(hall.heard(&rebuilt(b"ann")).starts_with("A short name"));
    assert!(Guest::rebuilt(hall.door.clone(), b"\xff").is_none());
}
