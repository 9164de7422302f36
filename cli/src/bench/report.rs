//! The report of a measurement, for people and as JSON: [`Report`]. Pure.

use std::{fmt, time::Duration};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::{load::Volume, tally::Tally};

/// The percentiles that are reported.
const PERCENTILES: [f64; 8] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9, 99.99, 100.0];

/// A measurement, and what was measured how.
pub(crate) struct Report<'a> {
    pub(crate) protocol: &'a str,
    pub(crate) endpoint: &'a str,
    /// Of all reactors together.
    pub(crate) volume: &'a Volume,
    pub(crate) reactors: usize,
    pub(crate) tally: &'a Tally,
}

/// Nanoseconds, as people read times.
struct Time(f64);

/// Bytes, as people read them.
struct Bytes(u64);

impl Report<'_> {
    fn per_second(&self, count: u64) -> f64 {
        let seconds = self.tally.measured.as_secs_f64();
        if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
    }

    /// The report for programs: times in nanoseconds, rates a second.
    pub(crate) fn json(&self) -> Value {
        let tally = self.tally;
        let troubles: Vec<_> = tally
            .troubles
            .iter()
            .map(|(trouble, count)| {
                json!({"kind": trouble.kind(), "what": trouble.to_string(), "count": count})
            })
            .collect();
        json!({
            "endpoint": self.endpoint,
            "protocol": self.protocol,
            "connections": self.volume.connections,
            "pipeline": self.volume.pipeline,
            "reactors": self.reactors,
            "planned_rate": self.volume.rate,
            "complete": tally.is_complete,
            "measured_ns": nanos(tally.measured),
            "answers": tally.answers,
            "rate": self.per_second(tally.in_time),
            "connections_made": tally.connected,
            "bytes_received": tally.received,
            "bytes_sent": tally.sent,
            "errors": tally.failures(),
            "errors_by_kind": troubles,
            "latency": percentiles(&tally.latency),
            "latency_from_sending": percentiles(&tally.service),
        })
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn percentiles(histogram: &Histogram<u64>) -> Value {
    if histogram.is_empty() {
        return Value::Null;
    }
    let at = PERCENTILES.map(|percentile| {
        json!({"percentile": percentile, "ns": histogram.value_at_percentile(percentile)})
    });
    json!({
        "count": histogram.len(),
        "min_ns": histogram.min(),
        "mean_ns": histogram.mean(),
        "max_ns": histogram.max(),
        "deviation_ns": histogram.stdev(),
        "percentiles": at,
    })
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tally, volume) = (self.tally, self.volume);
        let loop_kind = match volume.rate {
            Some(rate) => format!("open loop of {rate} requests a second"),
            None => "closed loop".to_owned(),
        };
        let connections = volume.connections;
        writeln!(
            f,
            "{} at {}: {connections} connections, {loop_kind}",
            self.protocol, self.endpoint
        )?;
        if !tally.is_complete && tally.connected > 0 {
            writeln!(f, "interrupted: this is what was measured until then")?;
        }
        let seconds = tally.measured.as_secs_f64();
        let rate = self.per_second(tally.in_time);
        writeln!(f, "  answers   {} in {seconds:.2} s: {rate:.0} a second", tally.answers)?;
        let (received, sent) = (self.per_second(tally.received), self.per_second(tally.sent));
        writeln!(
            f,
            "  bytes     {} received, {} sent: {}/s and {}/s",
            Bytes(tally.received),
            Bytes(tally.sent),
            Bytes(received as u64),
            Bytes(sent as u64)
        )?;
        writeln!(f, "  errors    {}", tally.failures())?;
        for (trouble, count) in &tally.troubles {
            writeln!(f, "    {count:>9}  {trouble}")?;
        }
        self.latencies(f)
    }
}

impl Report<'_> {
    fn latencies(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (latency, service) = (&self.tally.latency, &self.tally.service);
        if latency.is_empty() {
            return writeln!(f, "  no latency was measured");
        }
        let is_open = self.volume.rate.is_some();
        let title = if is_open { "   from the planned time   from sending" } else { "" };
        writeln!(f, "  latency{title}")?;
        let row = |f: &mut fmt::Formatter<'_>, name: &str, of: &dyn Fn(&Histogram<u64>) -> f64| {
            let second = if is_open { Time(of(service)).to_string() } else { String::new() };
            let first = Time(of(latency)).to_string();
            writeln!(f, "{}", format!("    {name:>8}  {first:<22}  {second}").trim_end())
        };
        row(f, "mean", &Histogram::mean)?;
        row(f, "least", &|histogram| histogram.min() as f64)?;
        for percentile in PERCENTILES {
            let name =
                if percentile < 100.0 { format!("{percentile} %") } else { "most".to_owned() };
            row(f, &name, &|histogram| histogram.value_at_percentile(percentile) as f64)?;
        }
        Ok(())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            nanos if nanos < 1e6 => write!(f, "{:.1} µs", nanos / 1e3),
            nanos if nanos < 1e9 => write!(f, "{:.2} ms", nanos / 1e6),
            nanos => write!(f, "{:.2} s", nanos / 1e9),
        }
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0 as f64;
        match self.0 {
            0..1_024 => write!(f, "{} B", self.0),
            1_024..1_048_576 => write!(f, "{:.1} KiB", bytes / 1024.0),
            1_048_576..1_073_741_824 => write!(f, "{:.1} MiB", bytes / 1048576.0),
            _ => write!(f, "{:.2} GiB", bytes / 1073741824.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tally::Trouble, *};

    fn volume(rate: Option<f64>) -> Volume {
        Volume {
            connections: 5,
            pipeline: 1,
            rate,
            phase: 0.0,
            warm_up: Duration::ZERO,
            duration: Duration::from_secs(2),
            timeout: Duration::from_secs(5),
        }
    }

    fn tally() -> Tally {
        let mut tally = Tally::default();
        for micros in [100, 200, 300, 400] {
            let latency = Duration::from_micros(micros);
            tally.waited(latency * 2, latency);
        }
        tally.trouble(Trouble::NoAnswer);
        (tally.answers, tally.in_time) = (3, 3);
        tally.measured = Duration::from_secs(2);
        tally.is_complete = true;
        tally
    }

    #[test]
    fn people_read_this() {
        let (volume, tally) = (volume(Some(10.0)), tally());
        let report = Report {
            protocol: "echo",
            endpoint: "tcp:h:1",
            volume: &volume,
            reactors: 1,
            tally: &tally,
        };
        let text = report.to_string();
        for line in [
            "echo at tcp:h:1: 5 connections, open loop of 10 requests a second\n",
            "  answers   3 in 2.00 s: 2 a second\n",
            "  errors    1\n",
            "            1  no answer in time\n",
            "        50 %  400.4 µs                200.2 µs\n",
        ] {
            assert!(text.contains(line), "{line:?} in {text}");
        }
    }

    #[test]
    fn programs_read_this() {
        let (volume, tally) = (volume(None), tally());
        let report = Report {
            protocol: "echo",
            endpoint: "tcp:h:1",
            volume: &volume,
            reactors: 1,
            tally: &tally,
        };
        let json = report.json();
        assert_eq!(json["answers"], 3);
        assert_eq!(json["rate"], 1.5);
        assert_eq!(json["errors_by_kind"][0]["kind"], "no-answer");
        assert_eq!(json["latency"]["count"], 4);
        assert_eq!(json["latency"]["percentiles"][5]["percentile"], 99.9);
        assert!(json["latency"]["percentiles"][5]["ns"].as_u64().unwrap() >= 800_000);
        let empty = Tally::default();
        let report = Report { tally: &empty, ..report };
        assert_eq!(report.json()["latency"], Value::Null);
        assert!(report.to_string().contains("no latency"));
    }
}
