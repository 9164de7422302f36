//! The fields of the reports: programs of others read them, so fields are added and never removed.

use serde_json::Value;

use super::client::Program;

/// The names of all fields with their types, as `shards[].lag.p50_us: number`.
fn shape(value: &Value, at: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                shape(field, &at, into);
            }
        }
        // Whether a callback was long or slow depends on the machine.
        Value::Array(_) if at.ends_with(".longest") || at.ends_with(".slow") => {
            into.push(format!("{at}: list"));
        }
        Value::Array(each) => match each.first() {
            Some(first) => shape(first, &format!("{at}[]"), into),
            None => into.push(format!("{at}: empty")),
        },
        Value::Null => into.push(format!("{at}: null")),
        Value::Bool(_) => into.push(format!("{at}: bool")),
        Value::Number(_) => into.push(format!("{at}: number")),
        Value::String(_) => into.push(format!("{at}: string")),
    }
}

fn shape_of(value: &Value) -> String {
    let mut lines = Vec::new();
    shape(value, "", &mut lines);
    lines.sort();
    lines.join("\n")
}

#[test]
fn the_fields_of_the_reports_do_not_change() {
    let program = Program::start(true, |_| {});
    let _client = program.client(1);
    let golden = include_str!("schema.txt");
    let found = format!(
        "# /status\n{}\n\n# /connections\n{}\n",
        shape_of(&program.json("/status")),
        shape_of(&program.json("/connections"))
    );
    assert!(
        found.trim() == golden.trim(),
        "the fields have changed; if they were only added, the file is now:\n{found}"
    );
    assert_eq!(program.json("/status")["version"], 1);
}
