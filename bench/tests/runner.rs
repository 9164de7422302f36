//! Tests of the runner as a process: which servers take part, which are left out, and the output. No figure is checked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

type Fallible = Result<(), Box<dyn std::error::Error>>;

/// One that works, one whose preparation fails, one that cannot run here, one with a wrong address, one with a limit.
const FIVE: &str = r#"
[echo]
yardstick = "good"
contestants = [
    { name = "good", command = ["{bin}/bare_epoll"] },
    { name = "unprepared", command = ["{bin}/bare_mio"], prepare = ["false"] },
    { name = "unavailable", command = ["{bin}/sinew_echo", "--engine", "no-such-engine"] },
    { name = "unreachable", command = ["sh", "-c", "echo listening on 127.0.0.1:1; exec sleep 100"] },
    { name = "small", command = ["{bin}/bare_mio"], connections_max = 1 },
]
"#;

/// A folder that is removed when its test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("sinew-bench-{name}-{}", std::process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn bench(folder: &Path, options: &str) -> std::io::Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(options.split_whitespace())
        .current_dir(folder)
        // All binaries are built already when a test runs.
        .env_remove("CARGO")
        .output()
}

fn strings(values: &Value, field: &str) -> Vec<String> {
    let all = values.as_array().into_iter().flatten();
    all.map(|value| value[field].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_failed_server_is_removed_and_the_others_continue() -> Fallible {
    let folder = Folder::new("runner")?;
    fs::write(folder.0.join("five.toml"), FIVE)?;
    let options = "echo --contestants five.toml --connections 2 --outstanding 1 --rounds 2 --seconds 0.02 \
                   --json out.json --html out.html --markdown out.md";
    let output = bench(&folder.0, options)?;
    let errors = String::from_utf8(output.stderr)?;
    assert!(!output.status.success(), "a contestant has failed");
    assert!(errors.contains("left out: unprepared"), "{errors}");

    let results: Value = serde_json::from_str(&fs::read_to_string(folder.0.join("out.json"))?)?;
    let case = &results["cases"][0];
    assert_eq!(strings(&case["rows"], "contestant"), ["good"]);
    assert_eq!(case["rows"][0]["samples"].as_array().map(Vec::len), Some(2));
    let out = strings(&case["left_out"], "contestant");
    assert_eq!(out, ["unprepared", "unavailable", "small", "unreachable"]);
    let reasons = strings(&case["left_out"], "reason");
    assert!(reasons[1].contains("no-such-engine"), "{}", reasons[1]);
    assert_eq!(reasons[2], "stops at 1 connections");

    let page = fs::read_to_string(folder.0.join("out.md"))?;
    assert!(page.contains("\n| good "), "{page}");
    assert!(String::from_utf8(output.stdout)?.contains("\n| good "));
    assert!(fs::read_to_string(folder.0.join("out.html"))?.contains("<svg"));
    Ok(())
}

#[test]
fn results_can_be_rendered_again() -> Fallible {
    let folder = Folder::new("render")?;
    fs::write(folder.0.join("five.toml"), FIVE)?;
    for (connections, file) in [(1, "one.json"), (2, "two.json")] {
        let options = format!(
            "echo --contestants five.toml --only good --connections {connections} --outstanding 1 --rounds 1 \
             --seconds 0.02 --json {file}"
        );
        let output = bench(&folder.0, &options)?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let output = bench(&folder.0, "render one.json two.json --markdown both.md")?;
    assert!(output.status.success());
    let page = fs::read_to_string(folder.0.join("both.md"))?;
    for case in ["**echo: 1 connection x 64", "**echo: 2 connections x 64"] {
        assert!(page.contains(case), "{page}");
    }
    Ok(())
}

#[test]
fn invalid_options_are_explained() -> Fallible {
    let folder = Folder::new("faults")?;
    let cases = [
        ("idle --syscalls", "this mode has no messages to count"),
        ("echo --rounds 0", "--rounds must be at least 1"),
        ("echo --only nobody", "no contestant is called nobody"),
        ("echo --also before", "--also takes NAME=COMMAND"),
        ("all --minutes 0", "--minutes must be above 0"),
        ("render nothing.json", "cannot read nothing.json"),
        ("budgets --only nothing", "no script is called nothing"),
    ];
    for (options, expected) in cases {
        let output = bench(&folder.0, options)?;
        let errors = String::from_utf8(output.stderr)?;
        assert!(!output.status.success() && errors.contains(expected), "{options}: {errors}");
    }
    Ok(())
}
