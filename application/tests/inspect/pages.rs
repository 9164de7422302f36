//! Pages of many connections, while others come and go.

use std::{collections::BTreeSet, io::Write};

use super::client::Program;

#[test]
fn every_connection_that_stays_is_on_one_page() {
    let program = Program::start(true, |_| {});
    let mut clients: Vec<_> = (0..150).map(|_| program.client(1)).collect();
    let staying: BTreeSet<_> =
        clients[75..].iter().map(|c| c.local_addr().expect("it is open").to_string()).collect();
    let (mut seen, mut path, mut going) = (Vec::new(), "/connections?max=20".to_owned(), 0);
    loop {
        let page = program.json(&path);
        let list = page["connections"].as_array().expect("a list");
        assert!(list.len() <= 20);
        seen.extend(list.iter().map(|one| one["peer"].as_str().expect("a peer").to_owned()));
        let next = &page["next"];
        if next.is_null() {
            break;
        }
        path = format!("/connections?max=20&shard={}&first={}", next["shard"], next["first"]);
        // Five go and five come between two pages.
        for place in clients.iter_mut().skip(going).take(5) {
            *place = program.client(1);
        }
        going += 5;
    }
    let seen_staying: Vec<_> = seen.iter().filter(|peer| staying.contains(*peer)).collect();
    assert_eq!(seen_staying.len(), staying.len());
    assert_eq!(seen_staying.into_iter().cloned().collect::<BTreeSet<_>>(), staying);
    clients.iter_mut().for_each(|client| client.write_all(b"x").expect("it is open"));
}
