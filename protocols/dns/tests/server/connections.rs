//! Queries over TCP: answers out of order, bounds, silence.

use std::time::Duration;

use sinew_dns::{
    codec::RecordType,
    server::{DnsServer, OwnedQuery, Response, ServerConfig, Zones, answer_async},
};

use crate::{
    serving::{Raw, frame, serve, zone},
    support::World,
    watchdog,
};

/// Answers after as many milliseconds as the name says.
fn slow(config: ServerConfig) -> DnsServer {
    let handler = answer_async(|query: OwnedQuery| async move {
        let millis =
            query.name.iter().next().and_then(|label| str::from_utf8(label).ok()?.parse().ok());
        query.reactor.sleep(Duration::from_millis(millis.unwrap_or(0))).await;
        Response::new().address(query.name, 1, [192, 0, 2, 1])
    });
    DnsServer::with_config(handler, config)
}

fn zones() -> Zones {
    let zones = Zones::new();
    zones.insert(zone("$TTL 60\n@ SOA ns root 7 1 1 1 30\nns A 192.0.2.1\n"));
    zones
}

#[test]
fn pipelined_out_of_order() {
    watchdog::watch_this_test();
    let world = World::new(1);
    let (_host, at) = serve(&world, "server", |_| slow(ServerConfig::default()));
    let raw = Raw::connect(&world, at);
    let times = ["300.a.", "100.a.", "200.a.", "0.a."];
    for (id, asked) in (0..).zip(times) {
        raw.write(&frame(id, asked, RecordType::A));
    }
    world.pass(1);
    assert_eq!(raw.ids(), [3, 1, 2, 0]);
    // The client ends its side: what it has asked is still answered.
    raw.write(&frame(9, "300.a.", RecordType::A));
    raw.transport().close_write();
    world.pass(1);
    assert_eq!(raw.ids().last(), Some(&9));
    assert!(raw.is_lost(), "and then the connection ends");
}

#[test]
fn in_flight_is_bounded() {
    watchdog::watch_this_test();
    let world = World::new(2);
    let (_host, at) = serve(&world, "server", |_| slow(ServerConfig::default().in_flight_max(4)));
    let raw = Raw::connect(&world, at);
    (0..12).for_each(|id| raw.write(&frame(id, "1000.a.", RecordType::A)));
    let mut counts = Vec::new();
    for _ in 0..4 {
        world.network.run_for(Duration::from_millis(1100)).unwrap();
        counts.push(raw.ids().len());
    }
    assert_eq!(counts, [4, 8, 12, 12]);
}

#[test]
fn silent_and_slow_clients_are_closed() {
    watchdog::watch_this_test();
    let world = World::new(3);
    let (_host, at) = serve(&world, "server", |_| DnsServer::new(zones()));
    let silent = Raw::connect(&world, at);
    let slow = Raw::connect(&world, at);
    let busy = Raw::connect(&world, at);
    let query = frame(1, "ns.example.", RecordType::A);
    // One byte every two seconds never makes a query in time; a whole query every two seconds does.
    for byte in query.iter().take(15) {
        if !slow.is_lost() {
            slow.write(&[*byte]);
        }
        busy.write(&query);
        world.pass(2);
    }
    assert!(silent.is_lost() && slow.is_lost() && !busy.is_lost());
    assert_eq!(busy.ids().len(), 15);
    world.pass(25);
    assert!(busy.is_lost());
}

#[test]
fn an_answer_that_is_made_keeps_its_connection() {
    watchdog::watch_this_test();
    let world = World::new(4);
    let config = || ServerConfig::default().answer_timeout(Duration::from_secs(60));
    let (_host, at) = serve(&world, "server", move |_| slow(config()));
    let raw = Raw::connect(&world, at);
    raw.write(&frame(1, "40000.a.", RecordType::A));
    world.pass(39);
    assert!(!raw.is_lost());
    world.pass(2);
    assert_eq!(raw.ids(), [1]);
}

#[test]
fn connections_of_an_address() {
    watchdog::watch_this_test();
    let world = World::new(5);
    let config = || ServerConfig::default().connections_per_address_max(3);
    let (_host, at) = serve(&world, "server", move |_| DnsServer::with_config(zones(), config()));
    let open: Vec<_> = (0..5).map(|_| Raw::connect(&world, at)).collect();
    world.pass(1);
    assert_eq!(open.iter().filter(|raw| raw.is_lost()).count(), 2);
    open[0].transport().lose_connection();
    world.pass(1);
    let another = Raw::connect(&world, at);
    world.pass(1);
    assert!(!another.is_lost());
}

#[test]
fn frames_that_are_too_long_end_the_connection() {
    watchdog::watch_this_test();
    let world = World::new(6);
    let (_host, at) = serve(&world, "server", |_| DnsServer::new(zones()));
    let raw = Raw::connect(&world, at);
    raw.write(&[0xff, 0xff, 0]);
    world.pass(1);
    assert!(raw.is_lost() && raw.received_len() == 0);
}
