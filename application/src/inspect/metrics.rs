//! Metrics in the text format of Prometheus (version 0.0.4): [`text`]. Pure: a [`Status`] in, text out.

use std::fmt::{self, Write};

use super::report::{BOUNDS_US, Durations, PortStatus, ShardStatus, Status};

/// The content type of the text.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

type Value = fn(&ShardStatus) -> f64;
type PortValue = fn(&PortStatus) -> Option<f64>;

/// Name, type, help, value: one of each reactor.
const OF_SHARD: &[(&str, &str, &str, Value)] = &[
    ("sinew_age_seconds", "gauge", "Time since the reactor was made.", |s| s.age_ms as f64 / 1e3),
    ("sinew_turns_total", "counter", "Turns of the loop.", |s| s.turns as f64),
    ("sinew_events_total", "counter", "Events from the kernel.", |s| s.events as f64),
    ("sinew_calls_total", "counter", "Calls made, also from threads.", |s| s.calls as f64),
    ("sinew_calls_queued", "gauge", "Calls from threads that wait.", |s| s.calls_queued as f64),
    ("sinew_timers_fired_total", "counter", "Timers fired.", |s| s.timers_fired as f64),
    ("sinew_timers", "gauge", "Timers pending.", |s| s.timers as f64),
    ("sinew_tasks", "gauge", "Tasks alive.", |s| s.tasks as f64),
    ("sinew_connections", "gauge", "Connections open.", |s| s.connections as f64),
    ("sinew_connections_total", "counter", "Connections opened.", |s| s.connections_made as f64),
    ("sinew_received_bytes_total", "counter", "Bytes received.", |s| s.bytes_received as f64),
    ("sinew_sent_bytes_total", "counter", "Bytes sent.", |s| s.bytes_sent as f64),
    ("sinew_moved_bytes_total", "counter", "Bytes moved by the kernel.", |s| s.bytes_moved as f64),
    ("sinew_slow_callbacks_total", "counter", "Slow callbacks.", |s| s.slow_callbacks as f64),
    ("sinew_panics_total", "counter", "Panics of callbacks.", |s| s.panics as f64),
    ("sinew_longest_turn_seconds", "gauge", "The longest turn.", |s| {
        s.longest_turn_us as f64 / 1e6
    }),
    ("sinew_pool_threads", "gauge", "Threads of the pool.", |s| s.pool.threads as f64),
    ("sinew_pool_jobs", "gauge", "Jobs of the pool, running or queued.", |s| s.pool.jobs as f64),
    ("sinew_pool_jobs_queued", "gauge", "Jobs that wait for a thread.", |s| s.pool.queued as f64),
    ("sinew_lookup_jobs", "gauge", "Name lookups, running or queued.", |s| s.lookups.jobs as f64),
];

/// Name, type, help, value: one of each port.
const OF_PORT: &[(&str, &str, &str, PortValue)] = &[
    ("sinew_port_connections", "gauge", "Connections open on a port.", |p| {
        Some(p.connections as f64)
    }),
    ("sinew_port_accepted_total", "counter", "Connections or datagrams of a port.", |p| {
        Some(p.accepted as f64)
    }),
    ("sinew_port_failures_total", "counter", "Connections or datagrams that failed.", |p| {
        Some(p.failures as f64)
    }),
    ("sinew_port_limit", "gauge", "Most connections of a port.", |p| p.limit.map(|max| max as f64)),
    ("sinew_port_paused", "gauge", "Whether a port accepts none now.", |p| {
        Some(f64::from(u8::from(p.paused.is_some())))
    }),
];

/// The metrics of a program. A reactor that does not answer has `sinew_up` 0, and no other.
pub(super) fn text(status: &Status) -> String {
    let mut out = String::new();
    // Writing to a string does not fail.
    let _ = write_all(&mut out, status);
    out
}

fn write_all(out: &mut String, status: &Status) -> fmt::Result {
    let up: Vec<_> = status.shards.iter().filter(|shard| shard.error.is_none()).collect();
    head(out, "sinew_info", "gauge", "The program; always 1.")?;
    let version = label(&status.sinew);
    writeln!(out, "sinew_info{{program=\"{}\",version=\"{version}\"}} 1", label(&status.program))?;
    head(out, "sinew_up", "gauge", "Whether a reactor runs.")?;
    for shard in &status.shards {
        let is_up = u8::from(shard.error.is_none());
        writeln!(out, "sinew_up{{shard=\"{}\"}} {is_up}", shard.shard)?;
    }
    for (name, kind, help, value) in OF_SHARD {
        head(out, name, kind, help)?;
        for shard in &up {
            writeln!(out, "{name}{{shard=\"{}\"}} {}", shard.shard, value(shard))?;
        }
    }
    let lag = "How late timers were.";
    histogram(out, "sinew_loop_lag_seconds", lag, &up, |shard| shard.lag.as_ref())?;
    let turn = "How long turns took, without their wait.";
    histogram(out, "sinew_turn_seconds", turn, &up, |shard| shard.turn.as_ref())?;
    longest(out, &up)?;
    for (name, kind, help, value) in OF_PORT {
        head(out, name, kind, help)?;
        for shard in &up {
            for (index, port) in shard.ports.iter().enumerate() {
                // Sockets that share a port may have the same address; a series must not be there twice.
                let labels = format!(
                    "shard=\"{}\",port=\"{index}\",address=\"{}\",kind=\"{}\"",
                    shard.shard,
                    label(&port.address),
                    label(&port.kind)
                );
                if let Some(value) = value(port) {
                    writeln!(out, "{name}{{{labels}}} {value}")?;
                }
            }
        }
    }
    Ok(())
}

fn longest(out: &mut String, shards: &[&ShardStatus]) -> fmt::Result {
    let name = "sinew_callback_longest_seconds";
    head(out, name, "gauge", "The longest callback of a kind, of those from a millisecond on.")?;
    for shard in shards {
        for long in &shard.longest {
            let (index, kind, seconds) =
                (shard.shard, label(&long.name), long.longest_us as f64 / 1e6);
            writeln!(out, "{name}{{shard=\"{index}\",name=\"{kind}\"}} {seconds}")?;
        }
    }
    Ok(())
}

fn histogram(
    out: &mut String,
    name: &str,
    help: &str,
    shards: &[&ShardStatus],
    of: impl Fn(&ShardStatus) -> Option<&Durations>,
) -> fmt::Result {
    head(out, name, "histogram", help)?;
    for shard in shards {
        let Some(durations) = of(shard) else { continue };
        let index = shard.shard;
        for (bound, below) in BOUNDS_US.iter().zip(&durations.below) {
            let bound = *bound as f64 / 1e6;
            writeln!(out, "{name}_bucket{{shard=\"{index}\",le=\"{bound}\"}} {below}")?;
        }
        writeln!(out, "{name}_bucket{{shard=\"{index}\",le=\"+Inf\"}} {}", durations.count)?;
        writeln!(out, "{name}_sum{{shard=\"{index}\"}} {}", durations.sum_us as f64 / 1e6)?;
        writeln!(out, "{name}_count{{shard=\"{index}\"}} {}", durations.count)?;
    }
    Ok(())
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

/// The value of a label: backslashes, quotation marks and line ends are escaped.
fn label(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\\\"),
            '"' => escaped.push_str("\\\""),
            '\n' => escaped.push_str("\\n"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
