//! Tests of the example `embedded_loop`.
#![cfg(unix)]

use super::process::Example;
use crate::ENGINES;

#[test]
fn the_game_and_its_players_share_a_loop() {
    for engine in ENGINES.iter().filter(|engine| !["poll", "select"].contains(engine)) {
        let mut game = Example::serve("embedded_loop", engine, &[]);
        assert_eq!(game.line(), ".....@....");
        let mut player = game.connect();
        player.send("left\nleft\nsideways\nright\n");
        for answer in ["4", "3", "left or right", "4"] {
            assert_eq!(player.line(), answer);
        }
        // A key of the keyboard is a move of all players.
        game.input(b"hh");
        assert_eq!(player.line(), "3");
        assert_eq!(player.line(), "2");
        while game.line() != "..@......." {}
        game.end_input();
        player.expect_end();
        assert_eq!(game.wait().code, Some(0));
    }
}

#[test]
fn an_engine_without_a_descriptor_is_an_error() {
    let game = Example::start("embedded_loop", &["--listen", "127.0.0.1:0", "--engine", "poll"]);
    let ended = game.wait();
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.concat().contains("has no descriptor"), "{:?}", ended.stderr);
}
