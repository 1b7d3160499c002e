//! `routing [--rounds N] [--matches N]`: nanoseconds to find a route among one and among 500, on one thread.
//!
//! Everybody runs once in each round, one after the other; printed are medians over the rounds and the medians of the
//! ratios within each round, of processor time. Each match reads the value of its variable: Foster has parsed it, and
//! what matchit gives as text is parsed here.

#[path = "../../micro/src/stopwatch.rs"]
mod stopwatch;

use std::hint::black_box;
use std::time::Duration;

use foster::app::routing::{Map, MatchRequest, Rule};
use foster::http::Method;
use stopwatch::{Elapsed, Stopwatch};

/// A router with the paths that it is asked for in turn.
struct Contender {
    name: String,
    /// Matches each path once, and gives the sum of the values that were found.
    ask: Ask,
    paths: Vec<String>,
    /// The contender to which its ratio is given.
    reference: usize,
}

fn main() {
    let n_rounds = option("--rounds").unwrap_or(15).max(1);
    let n_matches = option("--matches").unwrap_or(500_000).max(N_ROUTES);
    println!("{n_rounds} rounds of {n_matches} matches; ns per match, medians; ratios of processor time\n");
    let one_of = |n: usize| format!("/part{n}/items");
    for (title, tail, asked) in [
        ("text alone", "", ""),
        ("an integer", "/{id}", "/12345"),
        ("an integer and text behind it", "/{id}/edit", "/12345/edit"),
        ("text with an escape", "/by/{name}", "/by/caf%C3%A9"),
    ] {
        let paths: Vec<String> = (0..N_ROUTES).map(|n| format!("{}{asked}", one_of(n))).collect();
        let patterns: Vec<String> = (0..N_ROUTES).map(|n| format!("{}{tail}", one_of(n))).collect();
        let mut contenders = Vec::new();
        for (n_routes, shown) in [(1, "one route"), (N_ROUTES, "one of 500 routes"), (N_ROUTES, "500 routes in turn")] {
            let paths = if shown == "500 routes in turn" { paths.clone() } else { vec![paths[0].clone()] };
            for (router, ask) in routers(&patterns[..n_routes]) {
                let name = format!("{router}, {shown}");
                let reference = contenders.len() % N_ROUTERS;
                contenders.push(Contender { name, ask, paths: paths.clone(), reference });
            }
        }
        run(title, &contenders, n_rounds, n_matches);
    }
}

type Ask = Box<dyn Fn(&[String]) -> u64>;

fn routers(patterns: &[String]) -> [(&'static str, Ask); N_ROUTERS] {
    let rules = patterns.iter().enumerate().map(|(n, pattern)| {
        (Rule::new(pattern.replace("{id}", "<int:id>").replace("{name}", "<name>")).methods([Method::GET]), n as u64)
    });
    let map = Map::builder().rules(rules).build().unwrap_or_else(|err| panic!("{err}"));
    let foster = move |paths: &[String]| {
        let match_one = |path: &String| {
            let found = map.match_request(&MatchRequest::new(&Method::GET, path)).expect("it is there");
            let number = found.values().get("id").and_then(|id| id.as_int()).unwrap_or_default();
            found.value() + number as u64
        };
        paths.iter().map(match_one).sum()
    };
    let mut eight = matchit_0_8::Router::new();
    let mut nine = matchit_0_9::Router::new();
    for (n, pattern) in patterns.iter().enumerate() {
        eight.insert(pattern, n as u64).expect("no two are the same");
        nine.insert(pattern, n as u64).expect("no two are the same");
    }
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    let eight = move |paths: &[String]| {
        let match_one = |path: &String| {
            let found = eight.at(path).expect("it is there");
            found.value + number(found.params.get("id"))
        };
        paths.iter().map(match_one).sum()
    };
    let nine = move |paths: &[String]| {
        let match_one = |path: &String| {
            let found = nine.at(path).expect("it is there");
            found.value + number(found.params.get("id"))
        };
        paths.iter().map(match_one).sum()
    };
    [("foster", Box::new(foster)), ("matchit 0.8", Box::new(eight)), ("matchit 0.9", Box::new(nine))]
}

fn run(title: &str, contenders: &[Contender], n_rounds: usize, n_matches: usize) {
    let play = |contender: &Contender| {
        let stopwatch = Stopwatch::start();
        for _ in 0..n_matches / contender.paths.len() {
            black_box((contender.ask)(black_box(&contender.paths)));
        }
        stopwatch.stop()
    };
    // The first round warms the caches.
    let rounds: Vec<Vec<Elapsed>> = (0..=n_rounds).map(|_| contenders.iter().map(play).collect()).skip(1).collect();
    println!(
        "### {title}\n\n| router | wall | processor | to its own one route | to matchit 0.9 |\n|---|--:|--:|--:|--:|"
    );
    for (nth, contender) in contenders.iter().enumerate() {
        let nanos = |of: fn(&Elapsed) -> Duration| {
            median(rounds.iter().map(|round| of(&round[nth]).as_nanos() as f64 / n_matches as f64))
        };
        let (wall, processor) = (nanos(|it| it.wall), nanos(|it| it.processor));
        let ratio = |to: usize| median(rounds.iter().map(|round| round[nth].ratio_to(&round[to])));
        let nine = nth / N_ROUTERS * N_ROUTERS + N_ROUTERS - 1;
        let (own, other) = (ratio(contender.reference), ratio(nine));
        println!("| {} | {wall:.1} | {processor:.1} | {own:.2} | {other:.2} |", contender.name);
    }
    println!();
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn option(name: &str) -> Option<usize> {
    let value = std::env::args().skip_while(|argument| argument != name).nth(1)?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} needs a number, not {value:?}")))
}

const N_ROUTES: usize = 500;

const N_ROUTERS: usize = 3;
