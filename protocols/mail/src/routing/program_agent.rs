//! Delivery to programs: [`ProgramAgent`], which runs the command of a recipient with the message as its input.

use std::{cell::RefCell, fmt, process::Command, rc::Rc, time::Duration};

use sinew_transports::{
    ChildFd, Process, ProcessProtocol, ProcessStatus, ReactorProcesses, WriteStatus,
    reactor::{Deferred, Promise, Reactor},
};

use crate::{
    queue::{self, Attempt, AttemptResult, DeliveryAgent, Fate, QueuedRecipient, Status},
    smtp::client::MessageSource,
};

/// Bytes of the output that are kept for the report of a failure.
const OUTPUT_MAX: usize = 400;

/// Runs commands by `/bin/sh -c`, in the folder `/`, with an environment of `PATH`, `SENDER` and `RECIPIENT` alone, as the user that this
/// process is.
///
/// | the program | what becomes of the recipient |
/// |---|---|
/// | exits with 0 | delivered |
/// | exits with 75 (`EX_TEMPFAIL`), is killed by a signal, or cannot be started | it is tried again |
/// | exits otherwise | it has failed; what the program has written is in the report |
/// | takes longer than its [time](Self::timeout) | it is killed, and tried again |
#[derive(Clone, Debug)]
pub struct ProgramAgent {
    timeout: Duration,
}

impl Default for ProgramAgent {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(15 * 60) }
    }
}

/// A program that runs. It is killed if nobody waits for it any more.
struct Running(Process);

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.status().is_none() {
            let _ = self.0.kill();
        }
    }
}

/// What is known of a program.
#[derive(Default)]
struct Seen {
    is_paused: bool,
    waiting: Option<Promise<()>>,
    output: Vec<u8>,
}

struct Watching(Rc<RefCell<Seen>>);

impl Watching {
    fn wake(&self) {
        let waiting = self.0.borrow_mut().waiting.take();
        if let Some(waiting) = waiting {
            waiting.resolve(());
        }
    }
}

impl ProcessProtocol for Watching {
    fn data_received(&mut self, _: &Process, _: ChildFd, data: &[u8]) {
        let output = &mut self.0.borrow_mut().output;
        let room = OUTPUT_MAX.saturating_sub(output.len());
        output.extend_from_slice(&data[..data.len().min(room)]);
    }

    fn input_paused(&mut self, _: &Process, _: ChildFd) {
        self.0.borrow_mut().is_paused = true;
    }

    fn input_resumed(&mut self, _: &Process, _: ChildFd) {
        self.0.borrow_mut().is_paused = false;
        self.wake();
    }

    fn in_closed(&mut self, _: &Process) {
        self.0.borrow_mut().is_paused = false;
        self.wake();
    }
}

impl ProgramAgent {
    /// How long a program may take. Default 15 minutes.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn deliver_to(&self, reactor: &Reactor, attempt: &Attempt, to: &QueuedRecipient) -> Fate {
        let running = run(reactor, attempt, to);
        match reactor.timeout(self.timeout, running).await {
            Ok(fate) => fate,
            Err(error) => {
                Fate::Delayed(Status::new(4, 3, 0, format!("the program was killed: {error}")))
            }
        }
    }
}

async fn run(reactor: &Reactor, attempt: &Attempt, to: &QueuedRecipient) -> Fate {
    let sender = attempt.sender().address().map(ToString::to_string).unwrap_or_default();
    let mut command = Command::new("/bin/sh");
    command.args(["-c", to.argument()]).current_dir("/").env_clear();
    command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
    command.env("SENDER", sender).env("RECIPIENT", to.address().as_str());
    let seen = Rc::<RefCell<Seen>>::default();
    let process = match reactor.spawn_process(Watching(Rc::clone(&seen)), command) {
        Ok(process) => Running(process),
        Err(error) => return Fate::Delayed(Status::new(4, 3, 0, error)),
    };
    let ended = process.0.when_ended();
    if let Err(error) = feed(reactor, attempt, &process.0, &seen).await {
        return Fate::Delayed(Status::new(
            4,
            3,
            0,
            format!("the message could not be read: {error}"),
        ));
    }
    process.0.close_stdin();
    let output = || {
        let output = String::from_utf8_lossy(&seen.borrow().output).trim().to_owned();
        if output.is_empty() { String::new() } else { format!(": {output}") }
    };
    match ended.await {
        Ok(ProcessStatus::Exited(0)) => {
            Fate::Delivered(Status::new(2, 1, 5, "given to the program"))
        }
        Ok(ProcessStatus::Exited(75)) => Fate::Delayed(Status::new(
            4,
            3,
            0,
            format!("the program wants to be tried again{}", output()),
        )),
        Ok(ProcessStatus::Exited(code)) => Fate::Failed(Status::new(
            5,
            3,
            0,
            format!("the program has exited with {code}{}", output()),
        )),
        Ok(status) => {
            Fate::Delayed(Status::new(4, 3, 0, format!("the program: {status:?}{}", output())))
        }
        Err(failure) => Fate::Delayed(Status::new(4, 3, 0, failure)),
    }
}

/// Writes the message to the input of a program, as fast as it reads. A program need not read all of it.
async fn feed(
    reactor: &Reactor,
    attempt: &Attempt,
    process: &Process,
    seen: &Rc<RefCell<Seen>>,
) -> std::io::Result<()> {
    let mut message = attempt.message(reactor);
    while let Some(piece) = message.next().await? {
        if matches!(process.write_bytes(piece), WriteStatus::Closed) || process.status().is_some() {
            return Ok(());
        }
        // What is said by callbacks is said in the next turn at the earliest.
        reactor.sleep(Duration::ZERO).await;
        let resumed = seen.borrow().is_paused.then(|| reactor.promise());
        if let Some((promise, resumed)) = resumed {
            seen.borrow_mut().waiting = Some(promise);
            let _ = resumed.await;
        }
    }
    Ok(())
}

impl DeliveryAgent for ProgramAgent {
    fn destination(&self, to: &QueuedRecipient) -> String {
        to.argument().to_owned()
    }

    fn deliver(&self, reactor: &Reactor, attempt: Attempt) -> Deferred<AttemptResult> {
        let (this, of_task) = (self.clone(), reactor.clone());
        queue::run(reactor, async move {
            let mut fates = Vec::with_capacity(attempt.recipients().len());
            for to in attempt.recipients() {
                fates.push(this.deliver_to(&of_task, &attempt, to).await);
            }
            AttemptResult::new(fates)
        })
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Running").field(&self.0.pid()).finish()
    }
}
