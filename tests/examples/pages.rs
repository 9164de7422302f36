//! The examples as documentation pages.

use std::{
    fs,
    path::{Path, PathBuf},
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// The examples that consist of one file.
fn pages() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

fn name(page: &Path) -> String {
    page.file_stem().unwrap().to_str().unwrap().to_owned()
}

/// The names of the examples that have been built, with the features of this test.
pub(crate) fn built() -> Vec<String> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let manifest = fs::read_to_string(manifest).unwrap();
    let needs = |name: &str, feature: &str| {
        let entry = format!("name = \"{name}\"\nrequired-features = [\"{feature}\"]");
        manifest.contains(&entry)
    };
    let without = |feature, is_there: bool| move |name: &String| is_there || !needs(name, feature);
    let names = pages().into_iter().map(|page| name(&page));
    names
        .filter(without("chat", cfg!(feature = "chat")))
        .filter(without("dns", cfg!(feature = "dns")))
        .filter(without("tls", cfg!(feature = "tls")))
        .filter(without("http", cfg!(feature = "http")))
        .filter(without("mail", cfg!(feature = "mail")))
        .filter(without("news", cfg!(feature = "news")))
        .filter(without("socketserver", cfg!(feature = "socketserver")))
        .collect()
}

#[test]
fn each_is_short_and_has_its_place_in_the_readme() {
    let readme = fs::read_to_string(folder().join("README.md")).unwrap();
    for page in pages() {
        let lines = fs::read_to_string(&page).unwrap().lines().count();
        let row = format!("[`{0}`]({0}.rs)", name(&page));
        assert!(lines < 100, "{} has {lines} lines", page.display());
        assert!(readme.contains(&row), "{} is not in the README", page.display());
        let section =
            readme.split("\n## ").find(|it| it.contains(&format!(". `{}`\n", name(&page))));
        let section = section.unwrap_or_else(|| panic!("{} has no section", page.display()));
        assert!(section.contains("```console"), "{} is not shown at work", page.display());
    }
}
