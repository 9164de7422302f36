//! Compiler diagnostics for common mistakes. Each file of `tests/compile_errors/` contains one; its lines that begin
//! with `//~` are words that the diagnostics must contain. The rest of the output differs between compiler versions.

#![cfg(unix)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

/// The folder with the libraries that this test was linked with.
fn libraries() -> PathBuf {
    env::current_exe().unwrap().parent().unwrap().to_owned()
}

/// The library of a crate. There is one per set of features; the newest one was built from these sources.
fn newest(krate: &str) -> PathBuf {
    let start = format!("lib{krate}-");
    let is_it = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with(&start) && name.ends_with(".rlib")
    };
    let made = |path: &PathBuf| fs::metadata(path).and_then(|file| file.modified()).unwrap();
    let files = fs::read_dir(libraries()).unwrap().map(|entry| entry.unwrap().path());
    files.filter(is_it).max_by_key(made).expect("it was built for this test")
}

/// The diagnostics of a program, which must not compile.
fn complaint(program: &Path, krate: &str) -> String {
    let output = Command::new(Path::new(env!("CARGO")).with_file_name("rustc"))
        .args([
            "--edition",
            "2024",
            "--crate-type",
            "lib",
            "--emit",
            "metadata",
            "--color",
            "never",
        ])
        .args(["--out-dir", env!("CARGO_TARGET_TMPDIR")])
        .args(["-L", &format!("dependency={}", libraries().display())])
        .args(["--extern", &format!("{krate}={}", newest(krate).display())])
        .arg(program)
        .output()
        .expect("the compiler lies beside cargo");
    assert!(!output.status.success(), "{} compiles", program.display());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn check(program: &Path) {
    let source = fs::read_to_string(program).unwrap();
    let words: Vec<_> = source.lines().filter_map(|line| line.strip_prefix("//~ ")).collect();
    assert!(!words.is_empty(), "{} expects nothing", program.display());
    let krate = if source.contains("use sinew::") { "sinew" } else { "sinew_socketserver" };
    if krate == "sinew_socketserver" && cfg!(not(feature = "socketserver")) {
        return;
    }
    let complaint = complaint(program, krate);
    for words in words {
        assert!(complaint.contains(words), "{}: not said: {words}\n{complaint}", program.display());
    }
}

#[test]
fn mistakes_are_explained() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile_errors");
    let programs = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let programs: Vec<_> = programs.collect();
    assert!(programs.len() > 10);
    thread::scope(|scope| {
        for half in programs.chunks(programs.len().div_ceil(2)) {
            scope.spawn(|| half.iter().for_each(|program| check(program)));
        }
    });
}
