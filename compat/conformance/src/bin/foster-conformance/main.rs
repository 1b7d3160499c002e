//! Plays conformance scenarios against a driver and prints one line per difference.

mod arguments;

use std::error::Error;
use std::process::ExitCode;

use foster_conformance::{
    Filter, IdList, Played, Rule, Scenario, Suite, Verdict, conforming_scenarios, known_cpython_differences,
    load_scenarios,
};

use crate::arguments::{Arguments, Request, USAGE};

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Request::Help) => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Ok(Request::Play(arguments)) => arguments,
        Err(problem) => return wrong_use(&problem),
    };
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(err) => wrong_use(err.as_ref()),
    }
}

fn wrong_use(problem: &dyn Error) -> ExitCode {
    eprintln!("foster-conformance: {problem}");
    ExitCode::from(2)
}

/// Returns whether all selected scenarios conform.
fn run(arguments: &Arguments) -> Result<bool, Box<dyn Error>> {
    let scenarios = selected_scenarios(arguments)?;
    if arguments.lists_only {
        for scenario in &scenarios {
            println!("{} [{}] {}", scenario.id(), scenario.kind(), scenario.title());
        }
        return Ok(true);
    }
    let known = known_differences(arguments)?;
    let results = suite(arguments, &known)?.run(&scenarios);
    for (played, scenario) in results.iter().zip(&scenarios) {
        report(played, scenario, &known, arguments.is_verbose);
    }
    let n_conforming = results.iter().filter(|played| played.verdict.conforms()).count();
    println!("{n_conforming} of {} scenarios conform", results.len());
    Ok(n_conforming == results.len())
}

fn suite(arguments: &Arguments, known: &IdList) -> Result<Suite, Box<dyn Error>> {
    let mut suite = Suite::new(arguments.driver()?).known(known.clone());
    if arguments.is_relaxed {
        suite = suite.rule(Rule::Relaxed);
    }
    if let Some(n_jobs) = arguments.n_jobs {
        suite = suite.jobs(n_jobs);
    }
    if let Some(n_retries) = arguments.n_retries {
        suite = suite.retries(n_retries);
    }
    Ok(suite)
}

fn selected_scenarios(arguments: &Arguments) -> Result<Vec<Scenario>, Box<dyn Error>> {
    if arguments.plays_conforming() {
        return Ok(conforming_scenarios()?);
    }
    let mut scenarios = Vec::new();
    for path in &arguments.scenario_files() {
        scenarios.extend(load_scenarios(path)?);
    }
    let filter = Filter::parse(&arguments.filter);
    let useless = filter.useless_parts(&scenarios);
    if !useless.is_empty() {
        return Err(format!("no scenario's id begins with {}", useless.join(" or ")).into());
    }
    scenarios.retain(|scenario| filter.selects(scenario));
    Ok(scenarios)
}

fn known_differences(arguments: &Arguments) -> Result<IdList, Box<dyn Error>> {
    let mut known = IdList::default();
    if arguments.cpython.is_some() {
        known.extend(known_cpython_differences()?);
    }
    for path in &arguments.known_files {
        known.extend(IdList::load(path)?);
    }
    Ok(known)
}

fn report(played: &Played, scenario: &Scenario, known: &IdList, is_verbose: bool) {
    let (id, title) = (scenario.id(), scenario.title());
    match &played.verdict {
        Verdict::Conforms => {}
        Verdict::Differs(differences) => {
            let reason = match known.remark(id) {
                Some(reason) => format!("  [known: {reason}]"),
                None => String::new(),
            };
            for difference in differences {
                println!("DIFF {id} ({title}): {difference}{reason}");
            }
            if is_verbose {
                let expected = [scenario.expected_trace(), scenario.expected_peer()].concat();
                let got = [played.seen.trace.as_slice(), &played.seen.peer].concat();
                println!("    expected {}", expected.join(" · "));
                println!("    got      {}", got.join(" · "));
            }
        }
        unstable => println!("UNSTABLE {id}: {unstable}"),
    }
}
