//! The same requests, normal and nasty, for Foster's machine and for other servers. Each disagreement stands in a table
//! with its reason: a new one fails, and one that has gone fails, too.
//!
//! `inputs.json` holds the requests: text whose characters are bytes, in pieces where one is repeated.

#![cfg(feature = "http1")]

#[path = "../../examples/clients/mod.rs"]
mod clients;
mod foster_peer;
mod hyper_peer;
mod inputs;
mod programs;
mod table;
#[path = "../wire/mod.rs"]
mod wire;

use inputs::Input;
use table::Table;

#[tokio::test]
async fn every_disagreement_with_hyper_stands_in_its_table() {
    let mut verdicts = Vec::new();
    for input in inputs::all() {
        verdicts.push(hyper_peer::verdict(&input.bytes).await);
    }
    compare("hyper.md", &verdicts).check_exactly();
}

#[test]
fn every_disagreement_with_h11_stands_in_its_table() {
    let Some(verdicts) = programs::h11(&inputs::all()) else { return };
    compare("h11.md", &verdicts).check_exactly();
}

#[test]
fn every_disagreement_with_llhttp_stands_in_its_table() {
    let Some(verdicts) = programs::node(&inputs::all()) else { return };
    // Every distribution has another version of it.
    compare("llhttp.md", &verdicts).check_what_foster_takes();
}

#[test]
fn the_inputs_have_names_of_their_own() {
    let mut names: Vec<_> = inputs::all().into_iter().map(|input| input.name).collect();
    let n_names = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), n_names);
}

/// The table, and the disagreements that there are.
fn compare(table: &str, verdicts: &[String]) -> Table {
    let inputs = inputs::all();
    assert_eq!(inputs.len(), verdicts.len(), "one verdict for each input");
    let found = inputs.iter().zip(verdicts).filter_map(|(Input { name, bytes }, theirs)| {
        let ours = foster_peer::verdict(bytes);
        (ours != *theirs).then(|| [name.clone(), ours, theirs.clone()])
    });
    Table::read(table, found.collect())
}
