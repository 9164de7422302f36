//! Mailboxes and their lists.

use super::support::World;

#[test]
fn mailboxes_come_and_go() {
    let world = World::new();
    let client = world.client();
    client.dialogue(
        r#"
        C: a CREATE Work/Rust/
        S: a OK Created
        C: b CREATE Work/Rust
        S: b NO [ALREADYEXISTS] There is such a mailbox already
        C: c CREATE Sent
        S: c OK Created
        C: d LIST "" *
        S: * LIST (\HasNoChildren) "/" INBOX
        S: * LIST (\HasNoChildren \Sent) "/" Sent
        S: * LIST (\NonExistent \NoSelect \HasChildren) "/" Work
        S: * LIST (\HasNoChildren) "/" Work/Rust
        S: d OK Done
        C: e LIST "" %
        S: * LIST (\HasNoChildren) "/" INBOX
        S: * LIST (\HasNoChildren \Sent) "/" Sent
        S: * LIST (\NonExistent \NoSelect \HasChildren) "/" Work
        S: e OK Done
        C: f LIST Work/ %
        S: * LIST (\HasNoChildren) "/" Work/Rust
        S: f OK Done
        C: g LIST "" ""
        S: * LIST (\NoSelect) "/" ""
        S: g OK Done
        C: h RENAME Work/Rust "Entw&APw-rfe"
        S: h OK Renamed
        C: i LIST "" (E% I*) RETURN (STATUS (MESSAGES UIDNEXT))
        S: * LIST (\HasNoChildren) "/" Entw&APw-rfe
        S: * STATUS Entw&APw-rfe (MESSAGES 0 UIDNEXT 1)
        S: * LIST (\HasNoChildren) "/" INBOX
        S: * STATUS INBOX (MESSAGES 0 UIDNEXT 1)
        S: i OK Done
        C: j DELETE Entw&APw-rfe
        S: j OK Deleted
        C: k DELETE INBOX
        S: k NO [CANNOT] That is not permitted
        C: l DELETE nowhere
        S: l NO [NONEXISTENT] There is no such mailbox
        C: m CREATE "a/../b"
        S: m NO [CANNOT] A mailbox cannot have this name
        C: n CREATE x (USE (\Drafts))
        S: n NO [USEATTR] The use of a mailbox follows from its name
        "#,
    );
}

#[test]
fn subscriptions() {
    let world = World::new();
    let client = world.client();
    client.dialogue(
        r#"
        C: a CREATE a/b
        S: a OK Created
        C: b SUBSCRIBE a/b
        S: b OK Done
        C: c LSUB "" *
        S: * LSUB () "/" a/b
        S: c OK Done
        C: d LSUB "" %
        S: * LSUB (\NoSelect) "/" a
        S: d OK Done
        C: e LIST (SUBSCRIBED) "" *
        S: * LIST (\HasNoChildren \Subscribed) "/" a/b
        S: e OK Done
        C: f LIST (SUBSCRIBED RECURSIVEMATCH) "" %
        S: * LIST (\NonExistent \NoSelect \HasChildren) "/" a ("CHILDINFO" ("SUBSCRIBED"))
        S: f OK Done
        C: g UNSUBSCRIBE a/b
        S: g OK Done
        C: h LSUB "" *
        S: h OK Done
        C: i LIST "" * RETURN (SUBSCRIBED)
        S: * LIST (\HasNoChildren) "/" INBOX
        S: * LIST (\NonExistent \NoSelect \HasChildren) "/" a
        S: * LIST (\HasNoChildren) "/" a/b
        S: i OK Done
        "#,
    );
}
