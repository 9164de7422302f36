//! Tests of the example `simulated_chat`.

use super::process::Example;

fn run(seed: &str) -> Vec<String> {
    let ended =
        Example::start("simulated_chat", &["--seed", seed, "--clients", "60", "--minutes", "30"])
            .wait();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout
}

#[test]
fn the_same_seed_prints_the_same() {
    let (first, again, other) = (run("1"), run("1"), run("2"));
    assert_eq!(first, again);
    assert_ne!(first.last(), other.last());
    let hash = first.last().and_then(|line| line.strip_prefix("trace ")).expect("a last line");
    assert!(hash.len() == 16 && u64::from_str_radix(hash, 16).is_ok(), "{hash}");
    assert_eq!(first.len(), 8, "a heading, six lines, and the hash: {first:#?}");
}
