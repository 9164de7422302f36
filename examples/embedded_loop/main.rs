//! A reactor inside of somebody else's loop: here that of a small game, which draws a picture at an interval and reads the keyboard.
//! The reactor serves players over the network meanwhile. Unix only.
//!
//! ```text
//! $ cargo run --release --example embedded_loop
//! listening on 127.0.0.1:8000
//! .....@....
//! ```
//!
//! ```text
//! $ printf 'left\nright\nright\n' | nc -N 127.0.0.1 8000
//! 4
//! 5
//! 6
//! ```

#[path = "../cli/mod.rs"]
mod cli;

#[cfg(unix)]
mod unix {
    use std::{
        cell::{Cell, RefCell},
        io::{Read, stdin},
        os::fd::AsFd,
        rc::Rc,
        time::{Duration, Instant},
    };

    use super::cli::{Failed, ServerArgs, print_line};
    use clap::Parser;
    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        io::Errno,
    };
    use sinew::{
        prelude::*,
        protocols::basic::{Line, LineHandler, LineReceiver, LineTransport},
        reactor::Embedded,
    };

    const WIDTH: usize = 10;

    /// What the game knows: where the player is.
    struct Game {
        position: Cell<usize>,
        /// Those who want to see each move.
        players: RefCell<Vec<Transport>>,
    }

    impl Game {
        fn step(&self, command: &[u8]) -> bool {
            let position = self.position.get();
            match command {
                b"left" => self.position.set(position.saturating_sub(1)),
                b"right" => self.position.set((position + 1).min(WIDTH - 1)),
                _ => return false,
            }
            true
        }

        fn picture(&self) -> String {
            (0..WIDTH).map(|at| if at == self.position.get() { '@' } else { '.' }).collect()
        }
    }

    /// A player on the network: each line is a move, answered with the position.
    struct Player(Rc<Game>);

    impl LineHandler for Player {
        fn connection_made(&mut self, transport: &mut LineTransport<'_>) {
            self.0.players.borrow_mut().push((*transport).clone());
        }

        fn line_received(&mut self, transport: &mut LineTransport<'_>, line: &[u8]) {
            let answer = match self.0.step(line) {
                true => self.0.position.get().to_string(),
                false => "left or right".to_owned(),
            };
            if let Err(error) = transport.send_line(answer) {
                transport.fail(error);
            }
        }

        fn connection_lost(&mut self, transport: &mut LineTransport<'_>, _: &ConnectionLost) {
            self.0.players.borrow_mut().retain(|player| player.id() != transport.id());
        }
    }

    /// A game with its own loop, and a server in it
    #[derive(Parser)]
    pub(super) struct Args {
        /// Pictures until the game ends; by default it ends with standard input
        #[arg(long, value_name = "N")]
        pictures: Option<usize>,

        #[command(flatten)]
        server: ServerArgs,
    }

    pub(super) fn run(args: Args) -> Result<(), Failed> {
        let reactor = args.server.reactor()?;
        let game = Rc::new(Game { position: Cell::new(WIDTH / 2), players: RefCell::default() });
        let shared = game.clone();
        let factory =
            move |_: &Peer| LineReceiver::with_decoder(Line::lf_or_crlf(), Player(shared.clone()));
        let port = args.server.listen.listen(&reactor, factory)?;
        print_line!("listening on {port}")?;
        play(&game, &Embedded::new(&reactor)?, args.pictures)
    }

    /// The loop of the game. To it the reactor is a descriptor and a time to wait.
    fn play(game: &Game, reactor: &Embedded, pictures: Option<usize>) -> Result<(), Failed> {
        let interval = Duration::from_millis(100);
        let (mut drawn, mut next_picture) = (0, Instant::now());
        loop {
            let now = Instant::now();
            if now >= next_picture {
                print_line!("{}", game.picture())?;
                drawn += 1;
                if pictures == Some(drawn) {
                    return Ok(());
                }
                next_picture = now + interval;
            }
            // The last thing before the wait: what the game has done with the reactor is carried out here.
            let wait = reactor.turn()?.unwrap_or(interval);
            let wait = wait.min(next_picture.saturating_duration_since(Instant::now()));
            let (keyboard, descriptor) = (stdin(), reactor.as_fd());
            let mut sources =
                [PollFd::new(&descriptor, PollFlags::IN), PollFd::new(&keyboard, PollFlags::IN)];
            // With a number of pictures, the keyboard is not needed.
            let count = if pictures.is_some() { 1 } else { 2 };
            match poll(&mut sources[..count], Some(&Timespec::try_from(wait)?)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            if count == 2 && !sources[1].revents().is_empty() && !read_keys(game)? {
                return Ok(());
            }
        }
    }

    /// Moves for each key, and shows the move to all players. Returns `false` at the end of the input.
    fn read_keys(game: &Game) -> Result<bool, Failed> {
        // As much as standard input buffers, so that nothing stays in its buffer while the loop waits.
        let mut keys = [0; 8192];
        let len = stdin().lock().read(&mut keys)?;
        for key in &keys[..len] {
            let moved = match key {
                b'h' => game.step(b"left"),
                b'l' => game.step(b"right"),
                b'q' => return Ok(false),
                _ => false,
            };
            if moved {
                let text = format!("{}\r\n", game.position.get());
                for player in game.players.borrow().iter() {
                    player.write(&text);
                }
            }
        }
        Ok(len > 0)
    }
}

cli::unix_main!(unix::run);
