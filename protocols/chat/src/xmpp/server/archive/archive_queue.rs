//! What waits to be written to archives, and to be read from them: [`ArchiveQueue`]. An archive does one thing at a time. Pure.

use std::{
    collections::{HashMap, VecDeque},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use super::{StoredMessage, StoredQuery};
use crate::xmpp::codec::{Element, Jid};

/// Most archives that are read or written at once.
const RUNNING_MAX: usize = 4;
/// Most questions of an archive that wait.
const QUESTIONS_MAX: usize = 8;
/// Most bytes of messages that wait.
const WAITING_BYTES_MAX: usize = 16 << 20;
/// Most of them of an archive that cannot be written, so that the others are archived meanwhile.
const FAILED_BYTES_MAX: usize = 1 << 20;
/// Messages are tried again after a second, then two, and so on, up to 64.
const AGAIN_SHIFT_MAX: u32 = 6;

#[derive(Default)]
pub(in super::super) struct ArchiveQueue {
    archives: HashMap<Rc<str>, Waiting>,
    /// Those with something to do, each once.
    ready: VecDeque<Rc<str>>,
    running: usize,
    /// Bytes of all messages that wait or are being written.
    bytes: usize,
}

#[derive(Default)]
struct Waiting {
    messages: Vec<StoredMessage>,
    bytes: usize,
    questions: VecDeque<Question>,
    /// How many of the questions are answered before more messages are written.
    due: usize,
    /// Bytes of messages that are being written.
    writing: usize,
    /// It is in the list, or is running.
    is_busy: bool,
    /// Messages could not be written, and wait until that is tried again.
    has_failed: bool,
    /// How often that has failed in a row.
    failures: u32,
}

/// A question of a client.
#[derive(Clone, Debug)]
pub(in super::super) struct Question {
    /// The request, without what is in it.
    pub(in super::super) iq: Element,
    pub(in super::super) from: Jid,
    pub(in super::super) wanted: Wanted,
}

#[derive(Clone, Debug)]
pub(in super::super) enum Wanted {
    /// Messages, and what the client calls its question.
    Page(StoredQuery, Option<String>),
    /// Which are the first and the last.
    Span,
}

/// What an archive does next.
#[derive(Debug)]
pub(in super::super) enum Job {
    /// Messages are written, of so many bytes.
    Append(Arc<[StoredMessage]>, usize),
    Answer(Box<Question>),
}

impl ArchiveQueue {
    /// Whether messages of so many bytes may wait for an archive.
    pub(in super::super) fn has_room(&self, archive: &str, bytes: usize) -> bool {
        let failing = self.archives.get(archive).filter(|waiting| waiting.failures > 0);
        let of_failing = failing.map_or(0, |waiting| waiting.bytes + waiting.writing);
        self.bytes.saturating_add(bytes) <= WAITING_BYTES_MAX
            && (of_failing == 0 || of_failing.saturating_add(bytes) <= FAILED_BYTES_MAX)
    }

    /// Whether no messages wait.
    pub(in super::super) const fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// A message has to be written.
    pub(in super::super) fn push(
        &mut self,
        archive: &Rc<str>,
        message: StoredMessage,
        bytes: usize,
    ) {
        self.bytes += bytes;
        let waiting = self.archives.entry(Rc::clone(archive)).or_default();
        waiting.messages.push(message);
        waiting.bytes += bytes;
        self.make_ready(archive);
    }

    /// Somebody wants to know something. Returns whether it can wait.
    pub(in super::super) fn ask(&mut self, archive: &Rc<str>, question: Question) -> bool {
        let waiting = self.archives.entry(Rc::clone(archive)).or_default();
        if waiting.questions.len() >= QUESTIONS_MAX {
            return false;
        }
        waiting.questions.push_back(question);
        self.make_ready(archive);
        true
    }

    fn make_ready(&mut self, archive: &Rc<str>) {
        if let Some(waiting) = self.archives.get_mut(archive)
            && waiting.has_work()
            && !std::mem::replace(&mut waiting.is_busy, true)
        {
            self.ready.push_back(Rc::clone(archive));
        }
    }

    /// What is to be done now. Messages come before the questions behind them: a client finds what it was sent. They do not come before
    /// questions that have waited for other messages already, so that these are answered however many messages there are.
    pub(in super::super) fn next(&mut self) -> Option<(Rc<str>, Job)> {
        if self.running >= RUNNING_MAX {
            return None;
        }
        let archive = self.ready.pop_front()?;
        let waiting = self.archives.get_mut(&archive)?;
        let job = if waiting.due == 0 && !waiting.messages.is_empty() && !waiting.has_failed {
            let messages = std::mem::take(&mut waiting.messages);
            waiting.due = waiting.questions.len();
            waiting.writing = std::mem::take(&mut waiting.bytes);
            Job::Append(messages.into(), waiting.writing)
        } else {
            waiting.due = waiting.due.saturating_sub(1);
            Job::Answer(Box::new(waiting.questions.pop_front()?))
        };
        self.running += 1;
        Some((archive, job))
    }

    /// A job is done, or has failed: messages are kept then. Returns after what time they are to be [tried again](Self::retry).
    pub(in super::super) fn done(
        &mut self,
        archive: &Rc<str>,
        job: &Job,
        is_done: bool,
    ) -> Option<Duration> {
        self.running -= 1;
        let waiting = self.archives.get_mut(archive)?;
        waiting.is_busy = false;
        waiting.writing = 0;
        let mut again = None;
        match job {
            Job::Append(_, bytes) if is_done => {
                self.bytes -= bytes;
                waiting.failures = 0;
            }
            Job::Append(messages, bytes) => {
                let new = std::mem::take(&mut waiting.messages);
                waiting.messages = messages.iter().cloned().chain(new).collect();
                waiting.bytes += bytes;
                waiting.has_failed = true;
                again = Some(Duration::from_secs(1 << waiting.failures.min(AGAIN_SHIFT_MAX)));
                waiting.failures = waiting.failures.saturating_add(1);
            }
            Job::Answer(_) => {}
        }
        match waiting.has_work() || waiting.has_failed {
            true => self.make_ready(archive),
            false => drop(self.archives.remove(archive)),
        }
        again
    }

    /// Messages that could not be written are tried again: of one archive, or of all.
    pub(in super::super) fn retry(&mut self, archive: Option<&Rc<str>>) {
        let archives: Vec<_> = match archive {
            Some(archive) => vec![Rc::clone(archive)],
            None => self.archives.keys().cloned().collect(),
        };
        for archive in archives {
            if let Some(waiting) = self.archives.get_mut(&archive) {
                waiting.has_failed = false;
                self.make_ready(&archive);
            }
        }
    }

    /// Whether nothing is being done, or can be done now.
    pub(in super::super) fn is_idle(&self) -> bool {
        self.running == 0 && self.ready.is_empty()
    }

    /// How many archives have messages that are not written.
    pub(in super::super) fn unwritten(&self) -> usize {
        let waiting = self.archives.values();
        waiting.filter(|waiting| !waiting.messages.is_empty() || waiting.has_failed).count()
    }
}

impl Waiting {
    fn has_work(&self) -> bool {
        (!self.messages.is_empty() && !self.has_failed) || !self.questions.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xmpp::{codec::ns, server::archive::ArchiveId};

    fn message(id: u64) -> StoredMessage {
        let message = Element::new("message", ns::CLIENT);
        StoredMessage::new(ArchiveId(id), "bob@example.org".parse().unwrap(), message)
    }

    fn question() -> Question {
        let from = "ann@example.org/desk".parse().unwrap();
        Question { iq: Element::new("iq", ns::CLIENT), from, wanted: Wanted::Span }
    }

    fn ids(job: &Job) -> Vec<u64> {
        match job {
            Job::Append(messages, _) => messages.iter().map(|message| message.id.0).collect(),
            Job::Answer(_) => Vec::new(),
        }
    }

    #[test]
    fn an_archive_does_one_thing_at_a_time() {
        let (mut queue, ann) = (ArchiveQueue::default(), Rc::<str>::from("ann"));
        queue.push(&ann, message(1), 10);
        queue.push(&ann, message(2), 10);
        assert!(queue.ask(&ann, question()));
        let (_, job) = queue.next().unwrap();
        assert_eq!(ids(&job), [1, 2]);
        queue.push(&ann, message(3), 10);
        assert!(queue.next().is_none());
        queue.done(&ann, &job, true);
        // The question has waited for the first two. The next one waits for the third.
        let (_, job) = queue.next().unwrap();
        assert!(matches!(job, Job::Answer(_)));
        assert!(queue.ask(&ann, question()));
        queue.done(&ann, &job, true);
        let (_, job) = queue.next().unwrap();
        assert_eq!(ids(&job), [3]);
        queue.done(&ann, &job, true);
        let (_, job) = queue.next().unwrap();
        assert!(matches!(job, Job::Answer(_)));
        queue.done(&ann, &job, true);
        assert!(queue.next().is_none() && queue.is_idle() && queue.archives.is_empty());
        assert_eq!(queue.bytes, 0);
    }

    #[test]
    fn what_has_failed_is_tried_again_in_order() {
        let (mut queue, ann) = (ArchiveQueue::default(), Rc::<str>::from("ann"));
        queue.push(&ann, message(1), 10);
        let (_, job) = queue.next().unwrap();
        queue.push(&ann, message(2), 10);
        assert_eq!(queue.done(&ann, &job, false), Some(Duration::from_secs(1)));
        // Questions are answered meanwhile, and messages wait.
        assert!(queue.is_idle() && queue.next().is_none());
        assert_eq!((queue.unwritten(), queue.bytes), (1, 20));
        assert!(queue.ask(&ann, question()));
        let (_, job) = queue.next().unwrap();
        assert!(matches!(job, Job::Answer(_)));
        queue.done(&ann, &job, true);
        queue.push(&ann, message(3), 10);
        assert!(queue.next().is_none());
        queue.retry(Some(&ann));
        let (_, job) = queue.next().unwrap();
        assert_eq!(ids(&job), [1, 2, 3]);
        queue.done(&ann, &job, true);
        assert!(queue.archives.is_empty() && queue.bytes == 0);
    }

    #[test]
    fn bounds() {
        let mut queue = ArchiveQueue::default();
        let archives: Vec<Rc<str>> = (0..9).map(|n| n.to_string().into()).collect();
        for archive in &archives {
            queue.push(archive, message(1), 1);
        }
        let running: Vec<_> = std::iter::from_fn(|| queue.next()).collect();
        assert_eq!(running.len(), RUNNING_MAX);
        queue.done(&running[0].0, &running[0].1, true);
        assert_eq!(queue.next().unwrap().0, archives[RUNNING_MAX]);
        for _ in 0..QUESTIONS_MAX {
            assert!(queue.ask(&archives[8], question()));
        }
        assert!(!queue.ask(&archives[8], question()));
        assert!(queue.has_room("x", WAITING_BYTES_MAX - 8));
        assert!(!queue.has_room("x", WAITING_BYTES_MAX - 7));
    }

    /// However fast messages come, and however slow the disk is.
    #[test]
    fn questions_are_answered_between_messages() {
        let (mut queue, ann) = (ArchiveQueue::default(), Rc::<str>::from("ann"));
        let mut answers = 0;
        queue.push(&ann, message(0), 10);
        for id in 1..100 {
            if id % 4 == 1 {
                assert!(queue.ask(&ann, question()), "{id}");
            }
            let (_, job) = queue.next().unwrap();
            queue.push(&ann, message(id), 10);
            answers += usize::from(matches!(job, Job::Answer(_)));
            queue.done(&ann, &job, true);
        }
        assert!(answers > 20, "{answers}");
    }

    /// One that cannot be written does not take the place of all others.
    #[test]
    fn a_failing_archive_is_bounded() {
        let (mut queue, ann) = (ArchiveQueue::default(), Rc::<str>::from("ann"));
        let half = FAILED_BYTES_MAX / 2;
        queue.push(&ann, message(1), half);
        let (_, job) = queue.next().unwrap();
        queue.done(&ann, &job, false);
        assert!(queue.has_room("ann", half) && !queue.has_room("ann", half + 1));
        assert!(queue.has_room("bob", half + 1));
        // While it is tried again it is the same.
        queue.retry(Some(&ann));
        let (_, job) = queue.next().unwrap();
        assert!(queue.has_room("ann", half) && !queue.has_room("ann", half + 1));
        queue.done(&ann, &job, false);
        assert!(!queue.has_room("ann", half + 1));
        queue.retry(Some(&ann));
        let (_, job) = queue.next().unwrap();
        queue.done(&ann, &job, true);
        assert!(queue.has_room("ann", half + 1) && queue.is_empty());
    }
}
