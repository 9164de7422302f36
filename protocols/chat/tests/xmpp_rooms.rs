//! Rooms of XMPP without connections: stanzas in, stanzas out; and their invariants.

mod xmpp_rooms {
    mod administration;
    mod entering;
    mod hostile;
    mod invariants;
    mod ownership;
    mod script;
    mod talking;
}
