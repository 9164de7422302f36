//! Replays the fuzz corpus, both seeds and findings: each file of `fuzz/corpus` runs through the body of its target.
//! Needs no fuzzer; see `fuzz/README.md`.

use std::{collections::BTreeSet, fs, path::PathBuf};

#[path = "../fuzz/bodies/mod.rs"]
mod bodies;

use bodies::TARGETS;

fn fuzz() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

/// Prints the name of the file if it fails.
struct Replaying(PathBuf);

impl Drop for Replaying {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("failed on {}", self.0.display());
        }
    }
}

#[test]
fn every_file_of_the_corpus_passes() {
    for (target, body) in TARGETS {
        let folder = fuzz().join("corpus").join(target);
        let entries =
            fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{} is empty", folder.display());
        for file in files {
            let data = fs::read(&file).unwrap();
            let _named = Replaying(file);
            body(&data);
        }
    }
}

/// A target that is only in the manifest would never be replayed, and neither would a folder without a target.
#[test]
fn targets_have_bodies_and_corpora() {
    let bodies = BTreeSet::from_iter(TARGETS.map(|(name, _)| name.to_owned()));
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let bins = manifest.split("[[bin]]").skip(1).map(|bin| {
        bin.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).unwrap()
    });
    assert_eq!(BTreeSet::from_iter(bins.map(str::to_owned)), bodies);
    let folders = fs::read_dir(fuzz().join("corpus")).unwrap();
    let folders = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(BTreeSet::from_iter(folders), bodies);
}
