//! Questions from one occupant to another that are not answered yet: [`OccupantQuestions`]. When one of the two leaves, the room answers,
//! so that each has one answer (RFC 6120 8.2.3). Pure.

use std::collections::{HashMap, VecDeque};

use crate::xmpp::codec::{Element, Jid, ns};

/// Most questions of an occupant that wait for answers. For the next one the oldest is given up.
const QUESTIONS_MAX: usize = 100;
/// Most bytes of their ids and nicks.
const BYTES_MAX: usize = 16 * 1_024;

/// By the full addresses of those who have asked, the oldest first.
#[derive(Debug, Default)]
pub(super) struct OccupantQuestions(HashMap<Jid, VecDeque<Question>>);

/// A question, with the nicks as they were: both may be others when it is answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) asker: Jid,
    pub(super) asker_nick: String,
    pub(super) asked: Jid,
    pub(super) asked_nick: String,
    pub(super) id: String,
}

impl Question {
    /// As it was asked, for an error that answers it.
    pub(super) fn to_iq(&self, room: &Jid) -> Element {
        Element::new("iq", ns::CLIENT)
            .with_attribute("type", "get")
            .with_attribute("id", self.id.as_str())
            .with_attribute("from", self.asker.to_string())
            .with_attribute("to", format!("{room}/{}", self.asked_nick))
    }

    fn len(&self) -> usize {
        self.asker_nick.len() + self.asked_nick.len() + self.id.len()
    }
}

impl OccupantQuestions {
    /// A question is passed on. Returns older ones that are given up for it.
    pub(super) fn asked(&mut self, question: Question) -> Vec<Question> {
        let own = self.0.entry(question.asker.clone()).or_default();
        let mut bytes = own.iter().map(Question::len).sum::<usize>() + question.len();
        let mut given_up = Vec::new();
        while own.len() >= QUESTIONS_MAX || bytes > BYTES_MAX {
            let Some(oldest) = own.pop_front() else { break };
            bytes -= oldest.len();
            given_up.push(oldest);
        }
        own.push_back(question);
        given_up
    }

    /// An answer to who had this nick.
    pub(super) fn answered(&mut self, asked: &Jid, nick: &str, id: &str) -> Option<Question> {
        let is =
            |known: &Question| known.id == id && known.asker_nick == nick && known.asked == *asked;
        let (asker, at) = self
            .0
            .iter()
            .find_map(|(asker, own)| own.iter().position(is).map(|at| (asker.clone(), at)))?;
        let own = self.0.get_mut(&asker)?;
        let question = own.remove(at);
        if own.is_empty() {
            self.0.remove(&asker);
        }
        question
    }

    /// Somebody has left. Returns what it was asked, and what it has asked.
    pub(super) fn left(&mut self, jid: &Jid) -> (Vec<Question>, Vec<Question>) {
        let has_asked = self.0.remove(jid).into_iter().flatten().collect();
        let mut was_asked = Vec::new();
        self.0.retain(|_, own| {
            for question in std::mem::take(own) {
                match question.asked == *jid {
                    true => was_asked.push(question),
                    false => own.push_back(question),
                }
            }
            !own.is_empty()
        });
        (was_asked, has_asked)
    }

    /// All have left.
    pub(super) fn all(&mut self) -> Vec<Question> {
        std::mem::take(&mut self.0).into_values().flatten().collect()
    }
}
