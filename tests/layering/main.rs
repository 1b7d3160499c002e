//! Holds the layers against the sources: inside `compat/src`, imports go strictly down.
//!
//! A new module of `compat/src` needs a row in [`LAYERS`]; a rule that the sources break is a line with file, line
//! number and the rule.

mod http;
mod paths;
mod tokens;

use std::fs;
use std::path::{Path, PathBuf};

use paths::{Found, Outline};

/// The layers of `foster-compat`, lowest first, and the modules of each. A layer may name itself and those before it.
const LAYERS: [(&str, &[&str]); 6] = [
    ("vocabulary", &["error", "interrupted"]),
    ("runtime", &["runtime"]),
    ("nursery", &["nursery"]),
    ("asyncio", &["asyncio"]),
    ("framing", &["framing"]),
    ("testing", &["testing"]),
];

/// Crates and modules of the package above, which nothing in `compat` names.
const ABOVE: [&str; 10] =
    ["app", "foster", "h2", "http", "http1", "http2", "httparse", "serve", "tungstenite", "websocket"];

#[test]
fn compat_names_only_what_lies_below() {
    let broken = check_folder(&repository().join("compat/src"));
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn foster_starts_no_task_outside_a_nursery() {
    let mut broken = Vec::new();
    for file in sources(&repository().join("src")) {
        let outline = read(&file);
        broken.extend(stray_tasks(&outline).map(|message| format!("{}:{message}", shown(&file))));
    }
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn every_layer_that_exists_is_looked_at() {
    let files = sources(&repository().join("compat/src"));
    for layer in ["runtime", "nursery", "framing"] {
        let module = Path::new("compat/src").join(layer);
        assert!(files.iter().filter(|file| file.starts_with(repository().join(&module))).count() > 5, "{layer}");
    }
}

#[test]
fn a_name_from_above_is_found_with_file_line_and_rule() {
    assert_eq!(
        broken_in("runtime/core.rs", "use std::rc::Rc;\nuse crate::nursery::Nursery;\n"),
        ["runtime/core.rs:2: `crate::nursery::Nursery` is in the layer nursery, which the layer runtime lies below"]
    );
}

#[test]
fn every_spelling_of_a_name_from_above_is_found() {
    let spellings = [
        "use super::super::asyncio::Transport;",
        "use super::super::{error::Error, asyncio};",
        "use crate::{error::{Error, Result}, asyncio::Loop as Above};",
        "use crate::TransportRef;",
        "pub(crate) fn write(transport: &crate::TransportRef) {}",
        "fn call() { crate::asyncio::start::<u8>() }",
        "mod inner { use super::super::super::asyncio; }",
        "macro_rules! above { () => { $crate::asyncio::start() } }",
        "use crate::*;",
        "use super::super::*;",
    ];
    for spelling in spellings {
        assert_eq!(broken_in("nursery/scope.rs", spelling).len(), 1, "{spelling}");
    }
}

#[test]
fn a_module_file_counts_its_supers_from_itself() {
    assert_eq!(broken_in("nursery/mod.rs", "use super::asyncio::Loop;").len(), 1);
    assert!(broken_in("nursery/mod.rs", "use super::runtime::Core;").is_empty());
}

#[test]
fn names_from_below_comments_strings_and_tests_are_let_through() {
    let source = r##"
        //! As [`Loop`](crate::asyncio::Loop).
        use crate::error::Result;
        use crate::runtime::{Core, Kind};
        use super::region::Region;
        use super::super::runtime::NodeId;
        /* crate::asyncio /* nested */ crate::asyncio */
        pub(crate) const ADVICE: &str = "write crate::asyncio::Loop \" instead";
        const RAW: &str = r#"crate::asyncio " "#;
        fn lifetimes<'a>(quote: char) -> bool { quote == '"' || quote == '\'' }
        pub(in crate::nursery) fn inside() {}
        #[cfg(test)]
        mod tests { use crate::asyncio::Loop; }
        #[cfg(all(test, unix))]
        #[path = "scope_tests.rs"]
        mod more_tests;
        fn last() -> crate::Result { Ok(()) }
    "##;
    assert_eq!(broken_in("nursery/scope.rs", source), [] as [&str; 0]);
}

#[test]
fn what_follows_a_test_module_is_looked_at_again() {
    let source = "#[cfg(test)]\nmod tests { fn a() {} }\n#[cfg(not(test))]\nuse crate::asyncio::Loop;";
    assert_eq!(broken_in("nursery/scope.rs", source).len(), 1);
}

#[test]
fn the_vocabulary_names_no_layer() {
    assert_eq!(broken_in("error.rs", "use crate::runtime::Core;").len(), 1);
    assert!(broken_in("error.rs", "use crate::interrupted::Interrupted;").is_empty());
}

#[test]
fn testing_lies_above_asyncio() {
    assert_eq!(broken_in("asyncio/transport.rs", "use crate::testing::Trace;").len(), 1);
    assert!(broken_in("testing.rs", "use crate::asyncio::TransportRef;").is_empty());
}

#[test]
fn framing_lies_between_asyncio_and_testing() {
    assert_eq!(broken_in("asyncio/transport.rs", "use crate::framing::LineReceiver;").len(), 1);
    assert_eq!(broken_in("framing/base.rs", "use crate::testing::Trace;").len(), 1);
    assert_eq!(broken_in("framing/base.rs", "use tokio::runtime::Handle;").len(), 1);
    assert!(broken_in("framing/base.rs", "use crate::asyncio::TransportRef;").is_empty());
    assert!(broken_in("testing/trace.rs", "use crate::framing::LineReceiver;").is_empty());
}

#[test]
fn a_stray_task_is_found() {
    for source in [
        "fn stray() { tokio::spawn(async {}); }",
        "fn stray() { tokio::task::spawn(async {}); }",
        "use tokio::task::spawn_local;",
        "fn stray(set: &tokio::task::LocalSet) { set.spawn_local(async {}); }",
    ] {
        assert_eq!(broken_in("runtime/run.rs", source).len(), 1, "{source}");
    }
    assert!(broken_in("nursery/to_thread.rs", "use tokio::task::spawn_blocking;").is_empty());
}

#[test]
fn tokios_runtime_belongs_to_the_layer_runtime() {
    assert_eq!(broken_in("asyncio/server.rs", "use tokio::runtime::Handle;").len(), 1);
    assert!(broken_in("runtime/run.rs", "use tokio::runtime::Handle;").is_empty());
}

#[test]
fn compat_knows_nothing_of_http() {
    assert_eq!(broken_in("asyncio/server.rs", "use http::HeaderMap;").len(), 1);
    assert_eq!(broken_in("asyncio/server.rs", "use crate::http1::Machine;").len(), 1);
}

#[test]
fn a_module_without_a_row_is_found() {
    assert_eq!(
        broken_in("utils.rs", ""),
        ["utils.rs:1: the module utils is in no layer: give it a row in LAYERS of tests/layering"]
    );
    assert_eq!(broken_in("asyncio/server.rs", "use crate::utils::Thing;").len(), 1);
}

/// The crate root that the made-up sources of these tests live under.
const ROOT: &str = "
    mod asyncio;
    pub use asyncio::{Loop, transport::TransportRef};
    pub use error::{Error, Ok, Result};
    #[cfg(feature = \"testing\")]
    pub mod testing;
";

fn broken_in(file: &str, source: &str) -> Vec<String> {
    check(Path::new(file), &Outline::of(source), &Outline::of(ROOT).reexports())
}

/// Checks every file below `root`, a `src` folder of `foster-compat`.
fn check_folder(root: &Path) -> Vec<String> {
    let reexports = read(&root.join("lib.rs")).reexports();
    let files = sources(root);
    let tests: Vec<PathBuf> = files.iter().flat_map(|file| read(file).test_files(file)).collect();
    let mut broken = Vec::new();
    for file in files.iter().filter(|file| !tests.contains(file)) {
        let inside = file.strip_prefix(root).expect("the file was found below the root");
        if inside != Path::new("lib.rs") {
            broken.extend(check(inside, &read(file), &reexports));
        }
    }
    broken
}

/// Checks one file, whose path counts from `src`; `reexports` says from which module each name of the root comes.
fn check(file: &Path, outline: &Outline, reexports: &[(String, String)]) -> Vec<String> {
    let module = module_of(file);
    let own = module.first().map_or("", String::as_str);
    let Some(height) = height_of(own) else {
        let rule = format!("the module {own} is in no layer: give it a row in LAYERS of tests/layering");
        return vec![format!("{}:1: {rule}", file.display())];
    };
    let mut broken: Vec<String> = stray_tasks(outline).collect();
    for found in outline.paths() {
        let path = found.segments.join("::");
        let rule = match found.in_crate(&module) {
            None if ABOVE.contains(&found.segments[0].as_str()) && found.segments.len() > 1 => {
                format!("`{path}` belongs above foster-compat")
            }
            None if path.starts_with("tokio::runtime") && LAYERS[height].0 != "runtime" => {
                format!("`{path}` is for the layer runtime alone")
            }
            None => continue,
            Some([]) => continue,
            Some([first, ..]) => {
                let named = reexports.iter().find(|(name, _)| name == first).map_or(first, |(_, module)| module);
                match height_of(named) {
                    Some(other) if other <= height => continue,
                    Some(other) => format!(
                        "`{path}` is in the layer {}, which the layer {} lies below",
                        LAYERS[other].0, LAYERS[height].0
                    ),
                    None if first == "*" => format!("`{path}` names every layer"),
                    None => format!("`{path}` is in no layer"),
                }
            }
        };
        broken.push(format!("{}: {rule}", found.line));
    }
    broken.into_iter().map(|message| format!("{}:{message}", file.display())).collect()
}

/// Where tasks are started that belong to no nursery.
fn stray_tasks(outline: &Outline) -> impl Iterator<Item = String> + '_ {
    let is_stray = |found: &&Found| {
        let (first, last) = (&found.segments[0], &found.segments[found.segments.len() - 1]);
        last == "spawn_local" || (first == "tokio" && last == "spawn")
    };
    outline.paths().iter().filter(is_stray).map(|found| {
        let path = found.segments.join("::");
        format!("{}: `{path}` starts a task that no nursery owns: use start_soon", found.line)
    })
}

fn height_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|(_, modules)| modules.contains(&module))
}

/// The module that a file below `src` holds: `runtime/core.rs` is `["runtime", "core"]`.
fn module_of(file: &Path) -> Vec<String> {
    let path = file.with_extension("");
    let mut module: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    module
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|err| panic!("cannot list {}: {err}", folder.display()));
        for entry in entries {
            let path = entry.expect("a folder can be listed to its end").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn read(file: &Path) -> Outline {
    let source = fs::read_to_string(file).unwrap_or_else(|err| panic!("cannot read {}: {err}", file.display()));
    Outline::of(&source)
}

fn shown(file: &Path) -> String {
    file.strip_prefix(repository()).unwrap_or(file).display().to_string()
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
