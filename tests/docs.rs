//! Documentation checks: every page is compiled with the tests, every code block is complete as shown, and every
//! relative link resolves.

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
};

/// Folders without pages of the project.
const SKIPPED: [&str; 2] = ["target", ".git"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Markdown files under `folder`, which is relative to the root.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut pages = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            // The book's folder contains links to the same pages.
            if entry.file_type().unwrap().is_symlink() {
                continue;
            }
            let is_page = path.extension().is_some_and(|extension| extension == "md");
            if entry.file_type().unwrap().is_dir() {
                if !SKIPPED.iter().any(|skipped| entry.file_name() == *skipped) {
                    folders.push(path);
                }
            } else if is_page {
                pages.push(path);
            }
        }
    }
    pages.sort();
    pages
}

fn read(page: &Path) -> String {
    fs::read_to_string(root().join(page)).unwrap()
}

/// The lines of a page with their numbers, and whether each is in a code block; fences belong to their block.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str, bool)> {
    let mut in_block = false;
    (1..).zip(text.lines()).map(move |(number, line)| {
        let is_fence = line.trim_start().starts_with("```");
        in_block ^= is_fence;
        (number, line, in_block || is_fence)
    })
}

#[test]
fn every_page_is_compiled() {
    let included = fs::read_to_string(root().join("src/doctests.rs")).unwrap();
    let mut all = pages(Path::new("docs"));
    all.push("README.md".into());
    for page in all {
        let path = page.to_str().unwrap().replace('\\', "/");
        let quoted = format!("\"../{path}\"");
        assert!(included.contains(&quoted), "src/doctests.rs does not include {path}");
    }
}

/// The first cells of the rows of tables.
fn cells(text: &str) -> Vec<String> {
    let rows = text.lines().filter_map(|line| line.trim_start_matches("//! ").strip_prefix("| `"));
    rows.filter_map(|row| row.split_once(" |").map(|(cell, _)| cell.to_owned())).collect()
}

#[test]
fn endpoint_kinds_are_documented_alike() {
    let guide = read(Path::new("docs/guide/13-endpoints-and-names.md"));
    let tables = guide.split("The grammar is that of Twisted").next().unwrap();
    let module = read(Path::new("transports/src/endpoint/mod.rs"));
    assert!(cells(tables).len() > 15);
    assert_eq!(cells(tables), cells(&module));
}

#[test]
fn no_code_block_is_ignored() {
    let mut all = pages(Path::new("docs"));
    all.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(PathBuf::from));
    for page in all {
        for (number, line, _) in lines(&read(&page)).filter(|(_, _, in_block)| *in_block) {
            let is_ignored = line.trim_start().starts_with("```") && line.contains("ignore");
            assert!(!is_ignored, "{}:{number} is not compiled", page.display());
        }
    }
}

/// The Rust code blocks of a page, each with the number of its first line.
fn rust_blocks(text: &str) -> Vec<(usize, Vec<&str>)> {
    let mut blocks = Vec::new();
    let mut block = None;
    for (number, line, in_block) in lines(text) {
        match &mut block {
            None if in_block && line.starts_with("```rust") => {
                block = Some((number + 1, Vec::new()))
            }
            Some(_) if line.starts_with("```") => blocks.extend(block.take()),
            Some((_, lines)) => lines.push(line),
            None => {}
        }
    }
    blocks
}

/// Whether an unindented line may be outside of a function.
fn is_of_an_item(line: &str) -> bool {
    const BEGINNINGS: [&str; 20] = [
        "use ",
        "pub ",
        "struct ",
        "enum ",
        "impl",
        "fn ",
        "async fn ",
        "const ",
        "static ",
        "type ",
        "trait ",
        "mod ",
        "macro_rules!",
        "protocol_tests!",
        "#[",
        "//",
        "}",
        ")",
        "]",
        "where",
    ];
    line.is_empty() || line.starts_with(' ') || BEGINNINGS.iter().any(|it| line.starts_with(it))
}

/// Pages are also read where hidden lines are visible, and code is copied from them: a block must be a whole program,
/// or items.
#[test]
fn code_blocks_are_programs_or_items() {
    let mut all = pages(Path::new("docs"));
    all.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(PathBuf::from));
    let mut blocks = 0;
    for page in all {
        for (first, block) in rust_blocks(&read(&page)) {
            let is_program = block.iter().any(|line| line.starts_with("fn main("));
            for (number, line) in (first..).zip(block) {
                let is_hidden = line.trim_start() == "#" || line.trim_start().starts_with("# ");
                assert!(!is_hidden, "{}:{number}: hidden: {line}", page.display());
                let may_stand = is_program || is_of_an_item(line);
                assert!(may_stand, "{}:{number}: outside of a function: {line}", page.display());
            }
            blocks += 1;
        }
    }
    assert!(blocks > 60, "only {blocks} blocks were found");
}

/// The numbered pages of a folder, in order.
fn numbered(folder: &str) -> Vec<PathBuf> {
    let number = |page: &PathBuf| -> u32 {
        let name = page.file_name().unwrap().to_str().unwrap();
        name.split('-').next().unwrap().parse().expect("the page has a number")
    };
    let mut pages = pages(Path::new(folder));
    pages.sort_by_key(number);
    assert_eq!(
        pages.iter().map(number).collect::<Vec<_>>(),
        (1..=pages.len() as u32).collect::<Vec<_>>()
    );
    pages
}

#[test]
fn each_chapter_leads_to_the_next() {
    let chapters = numbered("docs/guide");
    for (chapter, next) in chapters.iter().zip(&chapters[1..]) {
        let text = read(chapter);
        let last = text.lines().last().unwrap_or_default();
        let target = format!("({}).", next.file_name().unwrap().to_str().unwrap());
        let leads = last.starts_with("Next: [") && last.ends_with(&target);
        assert!(leads, "{} ends with {last:?}", chapter.display());
    }
}

#[test]
fn the_index_has_all_chapters_and_decisions_in_order() {
    let index = read(Path::new("docs/README.md"));
    for folder in ["guide", "design"] {
        let listed: Vec<_> = index
            .lines()
            .filter_map(|line| {
                let (number, rest) = line.split_once(". [")?;
                let link = rest.split("](").nth(1)?.split(')').next()?;
                link.starts_with(folder).then(|| format!("{number} docs/{link}"))
            })
            .collect();
        let wanted = (1..).zip(numbered(&format!("docs/{folder}")));
        let wanted: Vec<_> =
            wanted.map(|(number, page)| format!("{number} {}", page.display())).collect();
        assert_eq!(listed, wanted);
    }
}

/// The comment and the attributes before an item of a source file.
fn comment<'a>(source: &'a str, item: &str) -> Vec<&'a str> {
    let (before, _) = source.split_once(item).unwrap_or_else(|| panic!("there is no {item}"));
    before.lines().rev().take_while(|line| !line.is_empty()).collect()
}

#[test]
fn important_items_have_examples() {
    for (file, items) in [
        ("reactor/src/deferred.rs", &["pub struct Deferred<", "pub struct Promise<"][..]),
        ("reactor/src/lifecycle.rs", &["pub enum Phase {"]),
        ("reactor/src/reactor.rs", &["pub struct Reactor {"]),
        ("reactor/src/task.rs", &["pub struct Task<"]),
        ("transports/src/config.rs", &["pub struct ListenConfig {", "pub struct ConnectConfig {"]),
        ("transports/src/connection.rs", &["pub struct Connection<"]),
        ("transports/src/factory.rs", &["pub trait Factory:", "pub const fn factory<"]),
        ("transports/src/disconnect.rs", &["pub enum ConnectionLost {"]),
        ("transports/src/peer.rs", &["pub enum Peer {"]),
        ("transports/src/protocol.rs", &["pub trait Protocol:"]),
        ("transports/src/tcp/connecting.rs", &["pub struct Connecting<"]),
        ("transports/src/transport.rs", &["pub struct Transport("]),
    ] {
        let source = read(Path::new(file));
        for item in items {
            let has_example = comment(&source, item).contains(&"/// ```");
            assert!(has_example, "{file}: {item} has no example");
        }
    }
}

/// A list of seventy items is unreadable: the root page of the crate documentation must explain them in tables.
#[test]
fn the_page_of_the_transports_has_its_items_in_groups() {
    let source = read(Path::new("transports/src/lib.rs"));
    let page: String = source.lines().filter(|line| line.starts_with("//!")).collect();
    let shown = source.split("\npub use {\n").nth(1).and_then(|rest| rest.split("};").next());
    let words = shown.unwrap_or_default().split(|c: char| !c.is_alphanumeric());
    let items: Vec<_> = words.filter(|word| word.starts_with(char::is_uppercase)).collect();
    let modules =
        source.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let all: Vec<_> = items.into_iter().chain(modules).collect();
    assert!(all.len() > 35, "only {all:?} were found");
    for name in all {
        assert!(page.contains(&format!("`{name}`")), "the page does not tell of {name}");
    }
}

#[test]
fn relative_links_resolve() {
    let mut broken = Vec::new();
    for page in pages(Path::new("")) {
        let text = read(&page);
        for (number, line, _) in lines(&text).filter(|(_, _, in_block)| !in_block) {
            for link in links(line) {
                if let Err(why) = follow(&page, &text, link) {
                    broken.push(format!("{}:{number}: {link}: {why}", page.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// All files and folders of the repository, as paths relative to the root. Links and build output are left out.
fn tree() -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            let is_skipped = SKIPPED.iter().any(|skipped| entry.file_name() == *skipped);
            let kind = entry.file_type().unwrap();
            if kind.is_symlink() || is_skipped {
                continue;
            }
            if kind.is_dir() {
                folders.push(path.clone());
            }
            found.push(path);
        }
    }
    found
}

/// The spans in backticks that name a source file (`stream/state.rs`) or a folder (`transports/`).
fn named_paths(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let outside = lines(text).filter(|(_, _, in_block)| !in_block);
    let spans = outside.flat_map(|(number, line, _)| {
        line.split('`').skip(1).step_by(2).map(move |it| (number, it))
    });
    spans.filter(|(_, span)| {
        let is_path = span.chars().all(|c| c.is_alphanumeric() || "/_-.".contains(c));
        is_path && (span.ends_with(".rs") || span.ends_with('/'))
    })
}

/// The map and the glossary follow the tree: every source file and folder that they name is there, at least as the end of a path.
#[test]
fn the_map_names_only_files_that_exist() {
    let tree = tree();
    for page in ["ARCHITECTURE.md", "docs/glossary.md"] {
        let (mut named, mut missing) = (0, Vec::new());
        let text = read(Path::new(page));
        for (number, span) in named_paths(&text) {
            named += 1;
            if !tree.iter().any(|path| path.ends_with(span)) {
                missing.push(format!("{page}:{number}: there is no {span}"));
            }
        }
        assert!(named > 50, "{page} names only {named} files");
        assert!(missing.is_empty(), "{}", missing.join("\n"));
    }
}

/// The identifiers in a text, without those of one or two letters.
fn identifiers(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| word.len() > 2 && !word.starts_with(|c: char| c.is_ascii_digit()))
}

/// ARCHITECTURE names functions, types and fields: after a rename it has to follow.
#[test]
fn the_map_names_only_items_that_exist() {
    let sources = tree().into_iter().filter(|path| path.extension().is_some_and(|it| it == "rs"));
    let sources: Vec<_> =
        sources.filter(|path| path != Path::new("tests/docs.rs")).map(|path| read(&path)).collect();
    let known: HashSet<_> = sources.iter().flat_map(|source| identifiers(source)).collect();
    let text = read(Path::new("ARCHITECTURE.md"));
    let spans = lines(&text).filter(|(_, _, in_block)| !in_block).flat_map(|(number, line, _)| {
        line.split('`').skip(1).step_by(2).map(move |it| (number, it))
    });
    let is_item = |span: &str| span.chars().all(|c| c.is_alphanumeric() || "_:!".contains(c));
    let (mut named, mut missing) = (0, Vec::new());
    for (number, span) in spans.filter(|(_, span)| is_item(span)) {
        for name in identifiers(span) {
            named += 1;
            if !known.contains(name) {
                missing.push(format!("ARCHITECTURE.md:{number}: there is no {name}"));
            }
        }
    }
    assert!(named > 100, "only {named} items were found");
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// The book's source folder, with its pages under their names in the repository.
const BOOK: &str = "book/src";

/// The pages of the book, in the order of its table of contents.
fn contents() -> Vec<PathBuf> {
    let summary = read(&Path::new(BOOK).join("SUMMARY.md"));
    summary.lines().flat_map(links).map(PathBuf::from).collect()
}

#[test]
fn the_book_has_every_page_once() {
    let contents = contents();
    let mut sorted = contents.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), contents.len(), "a page is in the book twice");
    for page in pages(Path::new("docs")) {
        assert!(contents.contains(&page), "{BOOK}/SUMMARY.md has no {}", page.display());
    }
    for folder in ["docs/guide", "docs/design"] {
        let listed: Vec<_> = contents.iter().filter(|page| page.starts_with(folder)).collect();
        assert_eq!(listed, numbered(folder).iter().collect::<Vec<_>>());
    }
}

/// A chapter has the title of its page, without the number.
#[test]
fn book_chapters_have_the_titles_of_their_pages() {
    let summary = read(&Path::new(BOOK).join("SUMMARY.md"));
    for line in summary.lines().filter(|line| line.contains("](docs/guide/")) {
        let (title, link) = line.trim_start_matches("- [").split_once("](").unwrap();
        let page = read(Path::new(link.trim_end_matches(')')));
        let heading = page.lines().next().unwrap().trim_start_matches("# ");
        let (_, heading) = heading.split_once(". ").expect("chapters are numbered");
        assert_eq!(title, heading);
    }
}

/// Links lead to the same page on the forge and in the book: every target of a link in the book must be in its
/// folder, and pages must be in the table of contents, since only those are rendered.
#[test]
fn links_resolve_in_the_book() {
    let contents = contents();
    assert!(contents.len() > 40, "only {contents:?} were found");
    let mut broken = Vec::new();
    for page in &contents {
        let text = read(&Path::new(BOOK).join(page));
        for (number, line, _) in lines(&text).filter(|(_, _, in_block)| !in_block) {
            for link in links(line).filter(|link| !link.contains("://")) {
                let place = format!("{}:{number}: {link}", page.display());
                if let Err(why) = follow(&Path::new(BOOK).join(page), &text, link) {
                    broken.push(format!("{place}: {why}"));
                }
                let path = link.split('#').next().unwrap();
                let target = normal(&page.parent().unwrap().join(path));
                // Not through the file system, which would follow the book's symbolic links.
                if !root().join(BOOK).join(&target).exists() {
                    broken.push(format!("{place}: not in {BOOK}"));
                }
                if path.ends_with(".md") && !contents.contains(&target) {
                    broken.push(format!("{place}: not in the table of contents"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Resolves `..` textually, without the file system.
fn normal(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut path, component| {
        if component.as_os_str() == ".." {
            path.pop();
        } else {
            path.push(component);
        }
        path
    })
}

/// Each published crate has its own README, whose code blocks are compiled with its tests.
#[test]
fn readmes_of_crates_are_compiled() {
    let manifest = read(Path::new("Cargo.toml"));
    let members = manifest.lines().find(|line| line.starts_with("members = ")).unwrap();
    let members = members.split('"').skip(1).step_by(2);
    let published: Vec<_> = members
        .filter(|member| !read(&Path::new(member).join("Cargo.toml")).contains("publish = false"))
        .collect();
    assert!(published.len() > 3, "only {published:?} were found");
    for member in published {
        let library = Path::new(member).join("src/lib.rs");
        if !root().join(&library).exists() {
            // A program: its README has no code.
            let readme = read(&Path::new(member).join("README.md"));
            assert!(
                rust_blocks(&readme).is_empty(),
                "{member}/README.md has code that nothing compiles"
            );
            continue;
        }
        let library = read(&library);
        let has_readme = library.contains("#[doc = include_str!(\"../README.md\")]");
        assert!(has_readme, "{member}/src/lib.rs does not include the README");
    }
}

/// The targets of the links of a line, `[text](target)`, and of definitions, `[name]: target`.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let inline = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let definition = line.strip_prefix('[').and_then(|rest| Some(rest.split_once("]: ")?.1));
    inline.chain(definition).map(str::trim)
}

fn follow(page: &Path, text: &str, link: &str) -> Result<(), String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return Ok(());
    }
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let target = root().join(page).parent().unwrap().join(path);
    if !path.is_empty() && !target.exists() {
        return Err("no such file".to_owned());
    }
    if anchor.is_empty() || !(path.is_empty() || path.ends_with(".md")) {
        return Ok(());
    }
    let text = if path.is_empty() { text.to_owned() } else { fs::read_to_string(target).unwrap() };
    let found = lines(&text)
        .filter(|(_, _, in_block)| !in_block)
        .filter_map(|(_, line, _)| line.strip_prefix('#'))
        .any(|heading| slug(heading.trim_start_matches('#')) == anchor);
    if found { Ok(()) } else { Err(format!("no heading #{anchor}")) }
}

/// The anchor of a heading.
fn slug(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    heading.trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
}
