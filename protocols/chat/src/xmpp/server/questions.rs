//! Questions that were passed on and are not answered yet: [`Questions`]. Each get and set has one answer (RFC 6120 8.2.3): if who was
//! asked goes away, the server answers. Pure.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    rc::Rc,
};

use crate::xmpp::codec::{Element, Jid, ns};

/// Most questions of an account, or of a service with all its addresses, that wait for answers. For the next one the oldest is given up.
const QUESTIONS_MAX: usize = 1_000;
/// Most bytes of these: their addresses and ids.
const BYTES_MAX: usize = 256 * 1_024;

#[derive(Debug, Default)]
pub(super) struct Questions {
    /// How often each was asked: an id may be used twice.
    open: BTreeMap<Rc<Question>, usize>,
    askers: HashMap<Jid, Asker>,
}

/// The order is that of who was asked, first.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    asked: String,
    asker: String,
    id: String,
}

/// The questions of an account or of a service, the oldest first.
#[derive(Debug, Default)]
struct Asker {
    questions: VecDeque<Rc<Question>>,
    bytes: usize,
}

impl Question {
    fn new(asked: &Jid, asker: &Jid, id: &str) -> Self {
        Self { asked: asked.to_string(), asker: asker.to_string(), id: id.to_owned() }
    }

    fn len(&self) -> usize {
        self.asked.len() + self.asker.len() + self.id.len()
    }

    /// What an error can answer.
    fn to_iq(&self) -> Element {
        Element::new("iq", ns::CLIENT)
            .with_attribute("type", "get")
            .with_attribute("id", self.id.as_str())
            .with_attribute("from", self.asker.as_str())
            .with_attribute("to", self.asked.as_str())
    }
}

impl Questions {
    /// A question is passed on. Returns older ones that are given up for it, which are to be refused. `home` is the domain of the accounts.
    pub(super) fn asked(&mut self, iq: &Element, from: &Jid, to: &Jid, home: &Jid) -> Vec<Element> {
        let question = Question::new(to, from, iq.attribute("id").unwrap_or_default());
        let group = group(from, home);
        let asker = self.askers.entry(group.clone()).or_default();
        let mut given_up = Vec::new();
        while asker.questions.len() >= QUESTIONS_MAX || asker.bytes + question.len() > BYTES_MAX {
            let Some(oldest) = asker.questions.pop_front() else { break };
            asker.bytes -= oldest.len();
            close(&mut self.open, &oldest);
            given_up.push(oldest.to_iq());
        }
        asker.bytes += question.len();
        let question = Rc::new(question);
        asker.questions.push_back(Rc::clone(&question));
        *self.open.entry(question).or_default() += 1;
        given_up
    }

    /// An answer, or the end of a question. Returns whether it was awaited.
    pub(super) fn answered(&mut self, asked: &Jid, asker: &Jid, id: &str, home: &Jid) -> bool {
        let question = Question::new(asked, asker, id);
        close(&mut self.open, &question) && {
            self.forget(&group(asker, home), &question);
            true
        }
    }

    /// An address is gone. Returns the questions to it, which are to be refused.
    pub(super) fn gone(&mut self, asked: &Jid, home: &Jid) -> Vec<Element> {
        let first = Question { asked: asked.to_string(), asker: String::new(), id: String::new() };
        let of_it = |question: &&Rc<Question>| question.asked == first.asked;
        let questions: Vec<_> = self
            .open
            .range::<Question, _>(&first..)
            .map(|(question, _)| question)
            .take_while(of_it)
            .cloned()
            .collect();
        self.take(&questions, home)
    }

    /// All who were asked are gone.
    pub(super) fn all_gone(&mut self) -> Vec<Element> {
        let questions = std::mem::take(self).askers.into_values().flat_map(|asker| asker.questions);
        questions.map(|question| question.to_iq()).collect()
    }

    /// Nobody waits for answers to this address any more.
    pub(super) fn forget_asker(&mut self, asker: &Jid, home: &Jid) {
        let (group, address) = (group(asker, home), asker.to_string());
        let Some(of_group) = self.askers.get_mut(&group) else { return };
        let open = &mut self.open;
        let bytes = &mut of_group.bytes;
        of_group.questions.retain(|question| {
            let is_kept = question.asker != address;
            if !is_kept {
                *bytes -= question.len();
                close(open, question);
            }
            is_kept
        });
        if of_group.questions.is_empty() {
            self.askers.remove(&group);
        }
    }

    fn take(&mut self, questions: &[Rc<Question>], home: &Jid) -> Vec<Element> {
        let mut taken = Vec::new();
        for question in questions {
            let group = question.asker.parse::<Jid>().map(|asker| group(&asker, home));
            while close(&mut self.open, question) {
                taken.push(question.to_iq());
                if let Ok(group) = &group {
                    self.forget(group, question);
                }
            }
        }
        taken
    }

    /// One of the questions of an asker is over.
    fn forget(&mut self, group: &Jid, question: &Question) {
        let Some(asker) = self.askers.get_mut(group) else { return };
        if let Some(at) = asker.questions.iter().position(|known| **known == *question) {
            asker.questions.remove(at);
            asker.bytes -= question.len();
        }
        if asker.questions.is_empty() {
            self.askers.remove(group);
        }
    }
}

/// Whether it was open.
fn close(open: &mut BTreeMap<Rc<Question>, usize>, question: &Question) -> bool {
    let Some(times) = open.get_mut(question) else { return false };
    *times -= 1;
    if *times == 0 {
        open.remove(question);
    }
    true
}

/// With whom an asker shares the bound: its account, or its service.
fn group(asker: &Jid, home: &Jid) -> Jid {
    match asker.domain() == home.domain() {
        true => asker.bare(),
        false => asker.of_domain(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jid(text: &str) -> Jid {
        text.parse().unwrap()
    }

    fn ask(questions: &mut Questions, from: &str, to: &str, id: &str) -> Vec<Element> {
        let iq = Element::new("iq", ns::CLIENT).with_attribute("id", id);
        questions.asked(&iq, &jid(from), &jid(to), &jid("b"))
    }

    fn is_empty(questions: &Questions) -> bool {
        questions.open.is_empty() && questions.askers.is_empty()
    }

    #[test]
    fn each_question_ends_once() {
        let (mut questions, home) = (Questions::default(), jid("b"));
        for (from, id) in [("ann@b/x", "1"), ("ann@b/x", "1"), ("bot@c", "1"), ("ann@b/y", "2")] {
            assert!(ask(&mut questions, from, "bob@b/x", id).is_empty());
        }
        ask(&mut questions, "ann@b/x", "bob@b/xx", "1");
        let (bob, ann) = (jid("bob@b/x"), jid("ann@b/x"));
        assert!(questions.answered(&bob, &ann, "1", &home));
        assert!(!questions.answered(&bob, &ann, "2", &home));
        let gone = questions.gone(&bob, &home);
        let to: Vec<_> = gone.iter().filter_map(|iq| iq.attribute("from")).collect();
        assert_eq!(to, ["ann@b/x", "ann@b/y", "bot@c"]);
        assert!(!questions.answered(&bob, &ann, "1", &home));
        questions.forget_asker(&ann, &home);
        assert!(is_empty(&questions), "{questions:?}");
        ask(&mut questions, "ann@b/x", "bob@b/x", "1");
        assert_eq!((questions.all_gone().len(), is_empty(&questions)), (1, true));
    }

    #[test]
    fn the_oldest_of_an_asker_is_given_up() {
        let mut questions = Questions::default();
        ask(&mut questions, "carl@b/x", "bob@b/x", "c");
        for number in 0..QUESTIONS_MAX {
            let from = if number % 2 == 0 { "ann@b/x" } else { "ann@b/y" };
            assert!(ask(&mut questions, from, "bob@b/x", &number.to_string()).is_empty());
        }
        let given_up = ask(&mut questions, "ann@b/x", "bob@b/x", "last");
        assert_eq!(given_up.len(), 1);
        assert_eq!(given_up[0].attribute("id"), Some("0"));
        let long = "x".repeat(BYTES_MAX / 4);
        for _ in 0..8 {
            ask(&mut questions, "ann@b/x", "bob@b/x", &long);
            assert!(questions.askers.values().all(|asker| asker.bytes <= BYTES_MAX));
        }
        assert!(questions.answered(&jid("bob@b/x"), &jid("carl@b/x"), "c", &jid("b")));
        // The addresses of a service share a bound.
        for number in 0..2 * QUESTIONS_MAX {
            ask(&mut questions, &format!("{number}@c"), "bob@b/x", "1");
        }
        assert_eq!(questions.askers[&jid("c")].questions.len(), QUESTIONS_MAX);
        questions.gone(&jid("bob@b/x"), &jid("b"));
        assert!(is_empty(&questions));
    }
}
