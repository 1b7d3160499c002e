//! Holds the documents against the repository: what they name exists.

use std::fs;
use std::path::{Path, PathBuf};

#[test]
fn every_invariant_names_a_test_that_exists() {
    let sources: String =
        ["src", "tests", "compat"].iter().map(|folder| all_sources(&repository().join(folder))).collect();
    let invariants = invariants();
    assert!(!invariants.is_empty(), "ARCHITECTURE.md lists no invariants");
    for invariant in invariants {
        let (_, held_by) = invariant.split_once("Held by").unwrap_or_else(|| panic!("held by no test: {invariant}"));
        let tests: Vec<&str> = held_by.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "held by no test: {invariant}");
        for test in tests {
            assert!(sources.contains(&format!("fn {test}()")), "there is no test {test}, which holds: {invariant}");
        }
    }
}

#[test]
fn the_architecture_is_read_in_one_sitting() {
    let n_lines = read("ARCHITECTURE.md").lines().count();
    assert!(n_lines <= 200, "ARCHITECTURE.md has {n_lines} lines, 200 are allowed: move detail to the sources");
}

#[test]
fn links_lead_to_files_that_exist() {
    for document in DOCUMENTS {
        let folder = repository().join(document).parent().expect("a document lies in a folder").to_owned();
        for link in links(&read(document)) {
            assert!(folder.join(&link).exists(), "{document} links to {link}, which does not exist");
        }
    }
}

#[test]
fn the_program_of_the_porting_guide_is_the_one_that_is_tested() {
    let (guide, source) = (read("PORTING.md"), read("tests/porting.rs"));
    let (_, program) = source.split_once("]\n\n").expect("the attribute of the file comes first");
    let (program, tests) = program.split_once("\n#[cfg(test)]\n").expect("the tests come last");
    assert!(guide.contains(program), "the program of PORTING.md is not that of tests/porting.rs");
    let shown = guide.split("```").find_map(|block| block.strip_prefix("rust\n#[cfg(test)]\n"));
    let shown = shown.and_then(|block| block.strip_suffix("}\n")).expect("PORTING.md shows a module of tests");
    assert!(tests.starts_with(shown), "the tests of PORTING.md are not those of tests/porting.rs");
}

#[test]
fn the_licence_files_of_both_packages_are_the_same() {
    for file in ["LICENSE-APACHE", "LICENSE-MIT", "NOTICE"] {
        assert_eq!(read(file), read(&format!("compat/{file}")), "{file}");
    }
}

const DOCUMENTS: [&str; 12] = [
    "README.md",
    "docs/quart.md",
    "DEPLOYMENT.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "PORTING.md",
    "SECURITY.md",
    "benches/README.md",
    "compat/README.md",
    "tests/conformance/README.md",
    "tests/interop_websocket/README.md",
];

/// The items of the list under "Invariants".
fn invariants() -> Vec<String> {
    let architecture = read("ARCHITECTURE.md");
    let lines = architecture.lines().skip_while(|line| *line != "## Invariants").skip(1);
    let section = lines.take_while(|line| !line.starts_with("## "));
    section.filter_map(|line| line.strip_prefix("- ")).map(str::to_owned).collect()
}

/// Where the links of a document lead to inside the repository, without the heading.
fn links(document: &str) -> Vec<String> {
    let targets = document.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let files = targets.map(|target| target.split('#').next().unwrap_or_default());
    files.filter(|file| !file.is_empty() && !file.contains("://")).map(str::to_owned).collect()
}

fn all_sources(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|err| panic!("cannot list {}: {err}", folder.display())) {
        let path = entry.expect("a folder can be listed to its end").path();
        if path.is_dir() {
            text += &all_sources(&path);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text += &fs::read_to_string(&path).unwrap_or_else(|err| panic!("cannot read {}: {err}", path.display()));
        }
    }
    text
}

fn read(file: &str) -> String {
    fs::read_to_string(repository().join(file)).unwrap_or_else(|err| panic!("cannot read {file}: {err}"))
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
