//! COMPRESS: both directions, in all pieces; and what inflates to more than is allowed.

use sinew_protocols::compression::{Deflate, Flush, Format, Inflate, Inflated};

use super::support::{Client, World};

struct Compressed {
    client: Client,
    deflate: Deflate,
    inflate: Inflate,
}

impl Compressed {
    fn new(client: Client) -> Self {
        client.dialogue("C: a COMPRESS DEFLATE\nS: a OK Compressed from now on");
        let (deflate, inflate) = (Deflate::new(Format::Raw, 6), Inflate::new(Format::Raw));
        Self { client, deflate, inflate }
    }

    fn deflated(&mut self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.deflate.deflate_into(text, Flush::Sync, &mut out);
        out
    }

    /// What was answered, inflated.
    fn answer(&mut self) -> String {
        let received = self.client.received_bytes();
        let (mut input, mut answer) = (&received[..], Vec::new());
        while let Inflated::Output(piece) = self.inflate.inflate(&mut input).unwrap() {
            answer.extend_from_slice(piece);
        }
        String::from_utf8(answer).unwrap()
    }

    fn say(&mut self, text: &str) -> String {
        let deflated = self.deflated(text.as_bytes());
        self.client.wire.receive_if_open(&deflated);
        self.answer()
    }
}

#[test]
fn commands_and_answers_are_compressed() {
    let world = World::with_messages(3);
    assert!(world.client().say("a CAPABILITY\r\n").contains(" COMPRESS=DEFLATE "));
    let mut client = Compressed::new(world.selected());
    let fetched = client.say("b FETCH 1:2 UID\r\nc NOOP\r\n");
    assert_eq!(fetched, "* 1 FETCH (UID 1)\r\n* 2 FETCH (UID 2)\r\nb OK Done\r\nc OK Done\r\n");
    assert!(!client.say("d CAPABILITY\r\n").contains("COMPRESS"));
    assert_eq!(
        client.say("e COMPRESS DEFLATE\r\n"),
        "e NO [COMPRESSIONACTIVE] It is compressed already\r\n"
    );
    // A message that is longer than a step.
    let text = "0123456789\r\n".repeat(10_000);
    let added = client.say(&format!("f APPEND INBOX {{{}+}}\r\n{text}\r\ng IDLE\r\n", text.len()));
    assert!(added.contains("f OK [APPENDUID") && added.ends_with("+ Idling\r\n"), "{added}");
    world.deliver("INBOX", "Subject: news\r\n\r\n");
    assert!(client.answer().starts_with("* 5 EXISTS\r\n"));
    let fetched = client.say("DONE\r\nh FETCH 4 BODY.PEEK[]\r\n");
    assert_eq!(
        fetched,
        format!("g OK Done\r\n* 4 FETCH (BODY[] {{{}}}\r\n{text})\r\nh OK Done\r\n", text.len())
    );
}

#[test]
fn compressed_pieces_do_not_matter() {
    for size in [1, 2, 3, 7, 1_000] {
        let world = World::with_messages(2);
        let client = world.selected();
        let mut deflate = Deflate::new(Format::Raw, 6);
        let mut bytes = b"a COMPRESS DEFLATE\r\n".to_vec();
        deflate.deflate_into(
            b"b FETCH 2 UID\r\nc APPEND INBOX {4+}\r\nA: 1\r\nd STATUS INBOX (MESSAGES)\r\n",
            Flush::Sync,
            &mut bytes,
        );
        let mut answer = Vec::new();
        for piece in bytes.chunks(size) {
            client.wire.receive_if_open(piece);
            answer.extend(client.received_bytes());
        }
        let compressed =
            answer.strip_prefix(b"a OK Compressed from now on\r\n").expect("it is offered");
        let (mut inflate, mut input, mut text) =
            (Inflate::new(Format::Raw), compressed, Vec::new());
        while let Inflated::Output(piece) = inflate.inflate(&mut input).unwrap() {
            text.extend_from_slice(piece);
        }
        let text = String::from_utf8(text).unwrap();
        assert!(
            text.starts_with("* 2 FETCH (UID 2)\r\nb OK Done\r\n")
                && text.ends_with("(MESSAGES 3)\r\nd OK Done\r\n"),
            "{size}: {text}"
        );
    }
}

/// A line without an end that inflates from little.
#[test]
fn a_bomb_is_not_inflated() {
    let world = World::with(|config| config.append_max(1 << 20));
    let mut client = Compressed::new(world.client());
    let bomb = client.deflated(&vec![b'x'; 20 << 20]);
    assert!(bomb.len() < 100_000, "{}", bomb.len());
    client.client.wire.receive_if_open(&bomb);
    let answer = client.answer();
    assert_eq!(
        answer,
        "xx BAD The command is too long\r\n* BYE The compressed data cannot be read\r\n"
            .replacen("xx", "*", 1)
    );
    assert!(client.client.is_closed());
}

#[test]
fn what_is_not_compressed_ends_the_connection() {
    let client = Compressed::new(World::new().client());
    client.client.wire.receive_if_open(b"b NOOP\r\n\xff\xff\xff\xff\xff\xff\xff\xff");
    drop(client.client.received_bytes());
    assert!(client.client.is_closed());
}
