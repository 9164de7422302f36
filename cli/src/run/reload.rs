//! A reload: what has changed in the program is changed in the process, and nothing else.
//!
//! 1. The program is read. If anything is wrong with it, nothing changes.
//! 2. The log is opened anew. If that fails, nothing changes.
//! 3. Services that are gone or have changed stop listening, and their connections are drained. The sockets are kept until the next step is done.
//! 4. Services that are new or have changed start. If one fails, those that were stopped start again as they were, and the new ones stop.
//! 5. Endpoints of services that have not changed read their certificates again.
//! 6. The log names certificates that clients will refuse now (`certificates.rs`).

use std::sync::{Arc, mpsc};

use sinew::reactor::{Excerpt, with_causes};

use super::{control::Control, shard};
use crate::{
    config::{Planned, Program},
    exit::{Code, Failure},
};

/// A service of the running or of the new program, with the generation under which it runs.
type Numbered = (Planned, u64);

impl Control {
    /// Reloads, and logs the result.
    pub(super) fn reload(&mut self) {
        let changed = self.source.load().and_then(|program| self.change_to(program));
        // Services read certificates of their own again, whatever is wrong with the program.
        self.certificates.look(&self.program.services, &self.reactors);
        match changed {
            Ok(summary) => tracing::info!("reloaded: {summary}"),
            Err(failure) => {
                for line in failure.to_string().lines() {
                    tracing::error!("nothing was reloaded: {line}");
                }
            }
        }
    }

    fn change_to(&mut self, program: Program) -> Result<String, Failure> {
        let old = self.numbered();
        let is_kept =
            |(planned, _): &Numbered| program.services.iter().any(|new| new.is_same(planned));
        let (kept, gone): (Vec<_>, Vec<_>) = old.into_iter().partition(is_kept);
        let is_new = |new: &&Planned| !kept.iter().any(|(planned, _)| planned.is_same(new));
        self.generation += 1;
        let added: Vec<Numbered> = program
            .services
            .iter()
            .filter(is_new)
            .map(|new| (new.clone(), self.generation))
            .collect();
        self.log.reload(&program.log)?;
        self.keep_sockets(true);
        let replaced = self.replace(&gone, &added, &program);
        self.keep_sockets(false);
        if let Err(failure) = replaced {
            // It is the log of before that is to say so.
            let _ = self.log.reload(&self.program.log);
            return Err(failure);
        }
        let certificates = reload_certificates(&kept);
        self.warn_of_the_rest(&program);
        let changed = added
            .iter()
            .filter(|(new, _)| gone.iter().any(|(old, _)| old.name == new.name))
            .count();
        let summary = format!(
            "{} unchanged, {changed} changed, {} added, {} removed; certificates of {certificates} endpoints read",
            kept.len(),
            added.len() - changed,
            gone.len() - changed,
        );
        let generation_of = |planned: &Planned| {
            let found = kept.iter().find(|(kept, _)| kept.name == planned.name);
            found.map_or(self.generation, |(_, generation)| *generation)
        };
        self.generations = program.services.iter().map(generation_of).collect();
        let Program { mut services, log, .. } = program;
        // Those that run have the endpoints whose certificates the next reload is to read.
        for planned in &mut services {
            if let Some((kept, _)) = kept.iter().find(|(kept, _)| kept.name == planned.name) {
                *planned = kept.clone();
            }
        }
        // The rest stays as it is until the process is started again.
        self.program = Program { services, log, ..self.program.clone() };
        Ok(summary)
    }

    fn numbered(&self) -> Vec<Numbered> {
        self.program.services.iter().cloned().zip(self.generations.iter().copied()).collect()
    }

    /// Steps 3 and 4.
    fn replace(
        &mut self,
        gone: &[Numbered],
        added: &[Numbered],
        program: &Program,
    ) -> Result<(), Failure> {
        gone.iter().for_each(|service| self.stop(service));
        for (done, service) in added.iter().enumerate() {
            let Err(failure) = self.start(service, program) else { continue };
            added[..done].iter().for_each(|service| self.stop(service));
            self.generation += 1;
            let before = Arc::new(self.program.clone());
            for (planned, generation) in gone {
                let again = (planned.clone(), self.generation);
                if let Err(failure) = self.start(&again, &before) {
                    tracing::error!(
                        "the service {} is lost: {failure}",
                        Excerpt::new(&planned.name)
                    );
                }
                self.set_generation(planned, *generation);
            }
            return Err(failure);
        }
        Ok(())
    }

    /// Clients in the backlog of a port that is closed and opened again wait meanwhile.
    fn keep_sockets(&self, keep: bool) {
        // An error says that a reactor has ended, and its sockets with it.
        drop(self.reactors.call_all(move |shard| shard::keep_sockets(shard, keep)));
    }

    fn set_generation(&mut self, planned: &Planned, before: u64) {
        let services = self.program.services.iter().zip(&mut self.generations);
        for (service, generation) in services {
            if service.name == planned.name && *generation == before {
                *generation = self.generation;
            }
        }
    }

    /// Returns when its ports are closed on all reactors.
    fn stop(&self, (planned, generation): &Numbered) {
        let key = shard::key(planned, *generation);
        let (has_begun, begun) = mpsc::channel();
        let stop = move |shard: &_| shard::stop_one(shard, &key, has_begun.clone());
        for stopped in self.reactors.call_all(stop) {
            if let Err(error) = stopped {
                tracing::error!(error = %with_causes(&error), "a service could not be stopped");
            }
        }
        // The end of the channel: every reactor has dropped its sender.
        let _ = begun.recv();
    }

    /// The first reactor is the first, since it opens the ports that the others share.
    fn start(&self, service: &Numbered, program: &Program) -> Result<(), Failure> {
        let (planned, generation) = service;
        let stopped = |error: &dyn std::fmt::Display| {
            Failure::new(
                Code::Software,
                format!("the service {}: {error}", Excerpt::new(&planned.name)),
            )
        };
        for index in 0..self.reactors.count() {
            let (planned, program, generation) = (planned.clone(), program.clone(), *generation);
            let (results, result) = mpsc::channel();
            let start =
                move |shard: &_| shard::start_one(shard, &planned, &program, generation, results);
            self.reactors.call(index, start).map_err(|error| stopped(&error))?;
            let started = result.recv().map_err(|_| stopped(&"its reactor has ended"))?;
            if let Err(failure) = started {
                self.stop(service);
                return Err(failure);
            }
        }
        Ok(())
    }

    fn warn_of_the_rest(&self, program: &Program) {
        let changed = [
            ("reactor", self.program.reactor != program.reactor),
            ("process", self.program.process != program.process),
            ("inspect", self.program.inspect != program.inspect),
        ];
        for (table, _) in changed.into_iter().filter(|(_, changed)| *changed) {
            tracing::warn!(
                table,
                "this table has changed, which takes effect when the process is started again"
            );
        }
    }
}

/// Step 5. The number of endpoints with certificates.
fn reload_certificates(kept: &[Numbered]) -> usize {
    let mut number = 0;
    for tls in kept.iter().map(|(planned, _)| planned.tls()) {
        for endpoint in tls.all_endpoints() {
            match endpoint.endpoint.reload() {
                Ok(()) => number += usize::from(!endpoint.endpoint.identities().is_empty()),
                Err(error) => {
                    tracing::error!("{endpoint}: the certificates stay as they were: {error}");
                }
            }
        }
    }
    number
}
