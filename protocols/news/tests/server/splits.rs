//! A session split in every way is the same session.

use sinew_news::nntp::server::{Access, NewsServer, Session};
use sinew_testkit::testing::every_split;
use sinew_transports::reactor::Reactor;

use crate::support::{config, store, text};

#[test]
fn every_split_of_a_session() {
    crate::watchdog::watch_this_test();
    let now = Reactor::simulated(0).wall_clock();
    let article = text("<1@a>", "a.open", "..\r\n", now);
    let input = format!(
        "GROUP a.open\r\nHALLO\r\nTAKETHIS <1@a>\r\n{article}.\r\nBODY <1@a>\r\nCHECK <1@a>\r\nQUIT\r\nDATE\r\n"
    );
    let expect = "200 news.example ready, posting allowed\r\n211 0 1 0 a.open\r\n500 unknown command\r\n239 <1@a>\r\n222 0 <1@a>\r\n..\r\n.\r\n438 <1@a>\r\n205 Bye\r\n";
    every_split(
        move || {
            let all = |_: &Session| Access::read_and_post().feeding();
            NewsServer::new(config(), store(now), all).connection()
        },
        input.as_bytes(),
        expect.as_bytes(),
    );
}
