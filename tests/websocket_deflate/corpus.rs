//! What the fuzzer has found, once more.

use std::fs;
use std::path::Path;

use crate::inflate::check_invariants;

#[test]
fn what_the_fuzzer_reached_keeps_its_invariants() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/websocket_inflate");
    let mut n_inputs = 0;
    for entry in fs::read_dir(folder).expect("the corpus is kept here") {
        let input = fs::read(entry.expect("a file").path()).expect("a file that can be read");
        check_invariants(&input);
        n_inputs += 1;
    }
    assert!(n_inputs > 10, "the corpus has {n_inputs} inputs");
}
