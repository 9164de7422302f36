//! The examples as pages to read.

use std::{fs, path::Path};

#[test]
fn each_is_short_and_has_its_place_in_the_readme() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let readme = fs::read_to_string(folder.join("README.md")).unwrap();
    let mut pages = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines < 100, "{name} has {lines} lines");
        assert!(readme.contains(&format!("`{name}`")), "{name} is not in the README");
        pages += 1;
    }
    assert_eq!(pages, 15);
}
