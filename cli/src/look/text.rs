//! The state of a program as text: tables whose columns are as wide as their contents. Pure.

use std::fmt::Write;

use sinew::{
    application::inspect::report::{ConnectionStatus, ShardStatus, Status},
    reactor::Excerpt,
};

use super::shown::{age, bytes, count, micros, name};

/// All that `sinew status` prints.
pub(super) fn status(status: &Status, connections: Option<&[ConnectionStatus]>) -> String {
    let mut out = String::new();
    let (program, total) = (Excerpt::new(&status.program), &status.total);
    let oldest = status.shards.iter().map(|shard| shard.age_ms).max().unwrap_or(0);
    // Writing to a string does not fail.
    let _ = writeln!(
        out,
        "{program}, process {}, sinew {}, for {}",
        status.pid,
        status.sinew,
        age(oldest)
    );
    let _ = writeln!(
        out,
        "{}, {} so far; received {}, sent {}; {}, {}",
        counted(total.connections, "connection"),
        count(total.connections_made),
        bytes(total.bytes_received),
        bytes(total.bytes_sent),
        counted(total.slow_callbacks, "slow callback"),
        counted(total.panics, "panic"),
    );
    section(&mut out, "Reactors", &REACTORS, status.shards.iter().map(reactor));
    section(&mut out, "Ports", &PORTS, status.shards.iter().flat_map(port_rows));
    section(&mut out, "Longest callbacks", &LONGEST, status.shards.iter().flat_map(longest));
    section(&mut out, "Slow callbacks", &SLOW, status.shards.iter().flat_map(slow));
    if let Some(connections) = connections {
        section(&mut out, "Connections", &CONNECTIONS, connections.iter().map(connection));
    }
    out
}

const REACTORS: [&str; 11] = [
    "REACTOR",
    "ENGINE",
    "CONNECTIONS",
    "TURNS",
    "EVENTS",
    "LAG P50",
    "LAG P99",
    "LAG MAX",
    "TIMERS",
    "TASKS",
    "THREADS",
];

fn reactor(shard: &ShardStatus) -> Vec<String> {
    if let Some(error) = &shard.error {
        return vec![shard.shard.to_string(), Excerpt::new(error).to_string()];
    }
    let lag = |of: fn(&sinew::application::inspect::report::Durations) -> u64| {
        shard.lag.as_ref().map_or_else(|| "-".to_owned(), |lag| micros(of(lag)))
    };
    vec![
        shard.shard.to_string(),
        shard.engine.clone(),
        count(shard.connections),
        count(shard.turns),
        count(shard.events),
        lag(|lag| lag.p50_us),
        lag(|lag| lag.p99_us),
        lag(|lag| lag.max_us),
        count(shard.timers as u64),
        count(shard.tasks as u64),
        format!("{}/{}", shard.pool.threads, shard.pool.threads_max),
    ]
}

const PORTS: [&str; 8] =
    ["REACTOR", "KIND", "ADDRESS", "CONNECTIONS", "LIMIT", "SO FAR", "FAILURES", "PAUSED"];

/// The ports of a reactor, a row each.
pub(crate) fn port_rows(shard: &ShardStatus) -> impl Iterator<Item = Vec<String>> {
    shard.ports.iter().map(|port| {
        vec![
            shard.shard.to_string(),
            if port.tls { format!("{}+tls", port.kind) } else { port.kind.clone() },
            Excerpt::new(&port.address).to_string(),
            count(port.connections as u64),
            port.limit.map_or_else(|| "-".to_owned(), |limit| count(limit as u64)),
            count(port.accepted),
            count(port.failures),
            port.paused.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    })
}

const LONGEST: [&str; 4] = ["REACTOR", "LONGEST", "FROM 1 MS", "KIND"];

fn longest(shard: &ShardStatus) -> impl Iterator<Item = Vec<String>> {
    shard.longest.iter().map(|long| {
        vec![shard.shard.to_string(), micros(long.longest_us), count(long.count), name(&long.name)]
    })
}

const SLOW: [&str; 4] = ["REACTOR", "TOOK", "AGO", "WHAT"];

fn slow(shard: &ShardStatus) -> impl Iterator<Item = Vec<String>> {
    shard.slow.iter().map(|slow| {
        vec![shard.shard.to_string(), micros(slow.took_us), age(slow.ago_ms), name(&slow.name)]
    })
}

const CONNECTIONS: [&str; 11] = [
    "ID",
    "PEER",
    "KIND",
    "STATE",
    "PAUSED BY",
    "AGE",
    "RECEIVED",
    "SENT",
    "QUEUED",
    "LONGEST",
    "PROTOCOL",
];

fn connection(connection: &ConnectionStatus) -> Vec<String> {
    let counted = |of: fn(&sinew::application::inspect::report::Counts) -> String| {
        connection.counts.as_ref().map_or_else(|| "-".to_owned(), of)
    };
    vec![
        connection.id.clone(),
        Excerpt::new(&connection.peer).to_string(),
        if connection.tls.is_some() {
            format!("{}+tls", connection.kind)
        } else {
            connection.kind.clone()
        },
        connection.state.clone(),
        if connection.paused.is_empty() { "-".to_owned() } else { connection.paused.join(",") },
        counted(|counts| age(counts.age_ms)),
        counted(|counts| bytes(counts.received)),
        counted(|counts| bytes(counts.sent)),
        bytes(connection.queued as u64),
        counted(|counts| micros(counts.longest_us)),
        connection.protocol.as_deref().map_or_else(|| "-".to_owned(), name),
    ]
}

/// `1 connection`, `1,204 connections`.
fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", count(number))
}

/// A title and a table, unless it has no rows.
fn section(out: &mut String, title: &str, heads: &[&str], rows: impl Iterator<Item = Vec<String>>) {
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return;
    }
    let widths: Vec<_> = (0..heads.len())
        .map(|column| {
            // A row with fewer cells is a message, which is as long as it is.
            let full = rows.iter().filter(|row| row.len() == heads.len());
            let cells = full.map(|row| row[column].chars().count());
            cells.max().unwrap_or(0).max(heads[column].chars().count())
        })
        .collect();
    let _ = writeln!(out, "\n{title}");
    line(out, &widths, heads.iter().copied());
    rows.iter().for_each(|row| line(out, &widths, row.iter().map(String::as_str)));
}

fn line<'a>(out: &mut String, widths: &[usize], cells: impl Iterator<Item = &'a str>) {
    let mut text = String::new();
    for (cell, width) in cells.zip(widths) {
        let _ = write!(text, "{cell:<width$}  ");
    }
    let _ = writeln!(out, "{}", text.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(text: &str) -> Status {
        serde_json::from_str(text).expect("a status")
    }

    #[test]
    fn tables_are_aligned_and_empty_ones_left_out() {
        let status_of = example(
            r#"{"program":"chat","pid":7,"sinew":"0.1.0","total":{"connections":1204,"bytes_sent":2048},
                "shards":[{"engine":"mio","age_ms":61000,"connections":1204,"lag":{"p50_us":90,"p99_us":1500,"max_us":2000000},
                           "ports":[{"address":"127.0.0.1:7000","kind":"tcp","connections":1204,"limit":null}]},
                          {"shard":1,"error":"reactor 1 has stopped"}]}"#,
        );
        let text = status(&status_of, None);
        assert!(
            text.starts_with("chat, process 7, sinew 0.1.0, for 1 min 1 s\n1,204 connections"),
            "{text}"
        );
        assert!(text.contains("90 µs    1.5 ms   2.00 s"), "{text}");
        assert!(text.contains("1        reactor 1 has stopped\n"), "{text}");
        assert!(text.contains("0        tcp   127.0.0.1:7000  1,204        -"), "{text}");
        assert!(!text.contains("Slow") && !text.contains("Connections\n"), "{text}");
        assert!(text.lines().all(|line| line == line.trim_end()));
    }

    #[test]
    fn one_is_no_plural() {
        for (total, expected) in [
            (
                r#"{"connections":1,"connections_made":1,"slow_callbacks":1,"panics":1}"#,
                "1 connection, 1 so far; received 0 B, sent 0 B; 1 slow callback, 1 panic\n",
            ),
            (
                r#"{"connections":0,"connections_made":2,"slow_callbacks":2000}"#,
                "0 connections, 2 so far; received 0 B, sent 0 B; 2,000 slow callbacks, 0 panics\n",
            ),
        ] {
            let status_of = example(&format!(r#"{{"program":"x","total":{total}}}"#));
            let text = status(&status_of, None);
            assert_eq!(text.split_inclusive('\n').nth(1), Some(expected));
        }
    }

    #[test]
    fn names_from_outside_cannot_control_the_terminal() {
        let status_of = example(
            r#"{"program":"x\u001b[2J","shards":[{"ports":[{"address":"\u001b]0;x\u0007"}]}]}"#,
        );
        let peer = ConnectionStatus::default();
        let text = status(&status_of, Some(&[peer]));
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text}");
        assert!(text.contains("Connections\nID"), "{text}");
    }
}
