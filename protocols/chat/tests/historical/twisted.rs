//! Twisted's client of OSCAR, of 2014, with our server.

use std::{
    env,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use sinew_chat::historical::oscar::OscarServer;
use sinew_transports::{ReactorTcp, reactor::Reactor};

use super::kit::realm;
use crate::watchdog::Watchdog;

/// Two clients in one program: Ann puts Bob on her list and waits for him; they talk; Bob goes.
const SCRIPT: &str = r#"
import sys
from twisted.internet import defer, protocol, reactor
from twisted.words.protocols import oscar

def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()

class Connection(oscar.BOSConnection):
    def initDone(self):
        self.requestSSI().addCallback(self.gotList).addErrback(say)

    def gotList(self, answer):
        say("%s has %d groups" % (self.username, len(answer[0])))
        self.activateSSI()
        self.clientReady()
        self.requestSelfInfo().addCallback(lambda user: say("I am %s" % user.name))
        self.ready()

    def updateBuddy(self, user):
        say("%s sees %s, %s" % (self.username, user.name, ",".join(user.flags)))

class Ann(Connection):
    def ready(self):
        self.addItemSSI(oscar.SSIBuddy("Bob"), 1, 1).addCallback(self.added)

    def added(self, snac):
        say("added %r" % snac[5])
        sign_on("bob", Bob)

    def updateBuddy(self, user):
        Connection.updateBuddy(self, user)
        if "away" not in user.flags:
            self.sendMessage("bob", "hello", wantAck=1).addCallback(lambda _: say("acknowledged"))

    def receiveMessage(self, user, parts, flags):
        say("ann got %r from %s %r" % (parts, user.name, flags))

    def offlineBuddy(self, user):
        say("%s is gone" % user.name)
        self.sendMessage("bob", "are you there?", wantAck=1).addErrback(self.failed)

    def failed(self, failure):
        say("not delivered: %r" % (failure.value[5],))
        reactor.stop()

class Bob(Connection):
    def ready(self):
        pass

    def receiveMessage(self, user, parts, flags):
        say("bob got %r from %s %r" % (parts, user.name, flags))
        self.sendMessage(user.name, [["gr\xf6\xdfe".decode("latin-1"), "iso-8859-1"]], autoResponse=1)
        self.setAway("lunch")
        reactor.callLater(0.2, self.disconnect)

def sign_on(name, kind):
    class Authenticator(oscar.OscarAuthenticator):
        BOSClass = kind
    creator = protocol.ClientCreator(reactor, Authenticator, name, "secret")
    creator.connectTCP("127.0.0.1", int(sys.argv[1])).addErrback(say)

sign_on("ann", Ann)
reactor.callLater(30, reactor.stop)
reactor.run()
"#;

const EXPECTED: [&str; 12] = [
    "I am Ann",
    "ann has 0 groups",
    r"added '\x00\x00'",
    "I am Bob",
    "bob has 0 groups",
    "ann sees Bob, aim",
    "bob got [('hello',)] from Ann []",
    "acknowledged",
    r"ann got [('gr\xf6\xdfe', 'iso-8859-1')] from Bob ['auto']",
    "ann sees Bob, aim,away",
    "Bob is gone",
    r"not delivered: '\x00\x04'",
];

#[test]
fn the_client_of_twisted_signs_on_and_talks() {
    let python = peers().join("twisted15/bin/python");
    if !python.is_file() {
        println!("skipped: Twisted 15 for Python 2.7 is not installed; .ci/peers does it");
        return;
    }
    let _watchdog = Watchdog::new("Twisted's client of OSCAR".to_owned());
    let reactor = Reactor::new().unwrap();
    let port = reactor.listen_tcp("127.0.0.1:0", OscarServer::new(&realm())).unwrap();
    let mut command = Command::new(python);
    let number = port.local().port().to_string();
    command.args(["-c", SCRIPT, &number]).stdin(Stdio::null()).stderr(Stdio::inherit());
    let ran = reactor.defer_to_thread(move || command.output());
    let output = reactor.run_until(ran).unwrap().unwrap().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines: Vec<_> = text.lines().collect();
    let mut expected = EXPECTED;
    // Two connections: their lines may come in another order.
    lines.sort_unstable();
    expected.sort_unstable();
    assert_eq!(lines, expected, "{text}");
    reactor.turn(Some(Duration::ZERO)).unwrap();
}

fn peers() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target");
    env::var_os("CARGO_TARGET_DIR").map_or(own, PathBuf::from).join("peers")
}
