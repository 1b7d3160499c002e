//! [`bind`]: a rule checked against its map, and taken apart for matching and building.

use std::ops::Range;

use super::arguments::Arguments;
use super::bound::{BoundRule, Op, Variable};
use super::builder::Options;
use super::converters::{Made, Registry};
use super::error::{RuleError, RuleErrorKind};
use super::methods::Methods;
use super::nearest::nearest;
use super::part::{Part, Piece};
use super::rule::Rule;
use super::syntax::{self, Token};
use crate::http::Method;

/// A rule that has been checked, with its way through the states.
pub(super) struct Binding {
    pub(super) rule: BoundRule,
    /// The host, if the map looks at hosts, and the segments of the path.
    pub(super) parts: Vec<Part>,
}

pub(super) fn bind(mut rule: Rule, options: &Options, converters: &Registry) -> Result<Binding, RuleError> {
    let is_merging = rule.merge_slashes.unwrap_or(options.merge_slashes);
    if !rule.pattern.starts_with('/') {
        let message = "a path begins with a slash";
        return Err(RuleError::new(&rule.pattern, 0..0, RuleErrorKind::Syntax, message));
    }
    if is_merging {
        rule.pattern = merged(&rule.pattern);
    }
    let domain = domain(&rule, options)?;
    let mut parser = Parser { converters, variables: Vec::new(), pieces: Vec::new(), ops: Vec::new() };
    let mut parts = Vec::new();
    if let Some(domain) = &domain {
        parser.parse(domain, true)?;
        parts.extend(Part::group(std::mem::take(&mut parser.pieces)));
    }
    let host = std::mem::take(&mut parser.ops);
    parser.parse(&rule.pattern, false)?;
    // The slash that every path begins with takes no step.
    parts.extend(Part::group(std::mem::take(&mut parser.pieces).into_iter().skip(1)));
    if parts.len() > MAX_PARTS {
        let message = format!("{} segments, where {MAX_PARTS} are allowed", parts.len());
        return Err(RuleError::whole(&rule.pattern, RuleErrorKind::TooLarge, message));
    }
    let (path, variables) = (parser.ops, parser.variables);
    let redirect = rule.redirect_to.as_deref().map(|target| redirect(target, &variables)).transpose()?;
    check_defaults(&rule, &variables)?;
    let (explicit, automatic) = methods(&rule, options)?;
    let names = variables.iter().map(|variable| variable.name.clone());
    let arguments = names.chain(rule.defaults.iter().map(|(name, _)| name.clone())).collect();
    let is_strict = rule.strict_slashes.unwrap_or(options.strict_slashes);
    let rule = BoundRule {
        rule,
        is_strict,
        is_merging,
        explicit,
        automatic,
        variables,
        arguments,
        host,
        path,
        redirect,
        canonical: Vec::new(),
        ambiguous: Vec::new(),
        looks_at_hosts: domain.is_some(),
    };
    Ok(Binding { rule, parts })
}

/// The pattern of the host or the subdomain, if the map looks at them.
fn domain(rule: &Rule, options: &Options) -> Result<Option<String>, RuleError> {
    let is_host = options.host_matching;
    if let Some(host) = rule.host.as_deref().filter(|_| !is_host) {
        let message = "the map does not look at hosts: build it with host_matching(true)";
        return Err(RuleError::whole(host, RuleErrorKind::Host, message));
    }
    if let Some(subdomain) = rule.subdomain.as_deref().filter(|_| !options.subdomain_matching) {
        let message = "the map does not look at subdomains: build it with subdomain_matching(true) and a server_name";
        return Err(RuleError::whole(subdomain, RuleErrorKind::Host, message));
    }
    let domain = match (&rule.host, &rule.subdomain) {
        (Some(host), _) if is_host => host,
        (None, _) if is_host => {
            let message = "the map looks at hosts, and the rule has none: `<host>` takes every host";
            return Err(RuleError::whole(&rule.pattern, RuleErrorKind::Host, message));
        }
        (_, Some(subdomain)) => subdomain,
        (_, None) if options.subdomain_matching => &options.default_subdomain,
        _ => return Ok(None),
    };
    let is_letter = |letter: char| !letter.is_ascii() || letter.is_ascii_whitespace() || "/?#@".contains(letter);
    if let Some((at, letter)) = domain.char_indices().find(|(_, letter)| is_letter(*letter)) {
        let span = at..at + letter.len_utf8();
        let message = format!("{letter:?} is in no host; names beyond ASCII are written in punycode");
        return Err(RuleError::new(domain, span, RuleErrorKind::Host, message));
    }
    Ok(Some(domain.clone()))
}

/// What a pattern is read into: the pieces to match it by, and those to build it from.
struct Parser<'c, 'r> {
    converters: &'c Registry,
    variables: Vec<Variable>,
    pieces: Vec<Piece<'r>>,
    ops: Vec<Op>,
}

impl<'r> Parser<'_, 'r> {
    fn parse(&mut self, pattern: &'r str, is_host: bool) -> Result<(), RuleError> {
        for token in syntax::tokens(pattern)? {
            match token {
                Token::Slash => {
                    self.pieces.push(Piece::Slash);
                    self.ops.push(Op::Text("/".to_owned()));
                }
                Token::Text(text) => {
                    self.pieces.push(Piece::Text(text));
                    self.ops.push(Op::Text(text.to_owned()));
                }
                Token::Variable(variable) => {
                    let made = self.make(pattern, &variable)?;
                    if is_host && !made.converter.is_part_isolating() {
                        let message = "a host has no slashes: this converter is for paths";
                        let kind = RuleErrorKind::Host;
                        return Err(RuleError::new(pattern, variable.converter_span, kind, message));
                    }
                    if self.variables.iter().any(|other| other.name == variable.name) {
                        let message = format!("the rule has another variable {:?}", variable.name);
                        let kind = RuleErrorKind::DuplicateName;
                        return Err(RuleError::new(pattern, variable.name_span, kind, message));
                    }
                    self.pieces.push(Piece::Variable(made.clone()));
                    self.ops.push(Op::Variable(self.variables.len()));
                    self.variables.push(Variable { name: variable.name.to_owned(), made });
                }
            }
        }
        Ok(())
    }

    fn make(&self, pattern: &str, variable: &syntax::Variable<'_>) -> Result<Made, RuleError> {
        let name = variable.converter;
        let Some(made) = self.converters.make(name, &variable.arguments) else {
            let near = nearest(name, self.converters.names());
            let near = near.map_or(String::new(), |near| format!("; did you mean {near:?}?"));
            let message = format!("there is no converter {name:?}{near}");
            let kind = RuleErrorKind::UnknownConverter;
            return Err(RuleError::new(pattern, variable.converter_span.clone(), kind, message));
        };
        made.map_err(|err| {
            let is_inside = |span: &Range<usize>| pattern.get(span.clone()).is_some();
            let span = err.span.filter(is_inside).unwrap_or_else(|| span_of(&variable.arguments, variable));
            RuleError::new(pattern, span, RuleErrorKind::Arguments, err.message)
        })
    }
}

/// All of the arguments, or the converter if there are none.
fn span_of(arguments: &Arguments, variable: &syntax::Variable<'_>) -> Range<usize> {
    match arguments.list.as_slice() {
        [first, .., last] => first.span.start..last.span.end,
        [only] => only.span.clone(),
        [] => variable.converter_span.clone(),
    }
}

/// The target of a redirect, in which `<name>` stands for a variable of the rule.
fn redirect(target: &str, variables: &[Variable]) -> Result<Vec<Op>, RuleError> {
    let tokens = syntax::tokens(target)?;
    let ops = tokens.into_iter().map(|token| match token {
        Token::Slash => Ok(Op::Text("/".to_owned())),
        Token::Text(text) => Ok(Op::Text(text.to_owned())),
        Token::Variable(named) => {
            let nth = variables.iter().position(|variable| variable.name == named.name);
            nth.map(Op::Variable).ok_or_else(|| {
                let message = format!("the rule has no variable {:?}", named.name);
                RuleError::new(target, named.name_span, RuleErrorKind::Redirect, message)
            })
        }
    });
    ops.collect()
}

fn check_defaults(rule: &Rule, variables: &[Variable]) -> Result<(), RuleError> {
    for variable in variables {
        let Some((name, value)) = rule.defaults.iter().find(|(name, _)| *name == variable.name) else { continue };
        let converter = &variable.made.converter;
        if converter.to_url(value).is_none_or(|text| converter.parse(&text).is_none()) {
            let message = format!("the default of {name:?} is {value:?}: expected {}", converter.expects());
            return Err(RuleError::whole(&rule.pattern, RuleErrorKind::Default, message));
        }
    }
    Ok(())
}

/// The methods that the rule names, and those it takes besides.
fn methods(rule: &Rule, options: &Options) -> Result<(Option<Methods>, Methods), RuleError> {
    let mut automatic = Methods::new();
    let Some(named) = &rule.methods else { return Ok((None, automatic)) };
    let refused = |message: String| Err(RuleError::whole(&rule.pattern, RuleErrorKind::Method, message));
    let explicit: Methods = named.iter().cloned().collect();
    if explicit.is_empty() {
        return refused("no methods: nothing would match; leave methods() out to take every method".to_owned());
    }
    let of_websockets = [Method::GET, Method::HEAD, Method::OPTIONS];
    if let Some(other) = explicit.iter().find(|method| rule.is_websocket && !of_websockets.contains(method)) {
        return refused(format!("a WebSocket begins with GET and never with {other}"));
    }
    if explicit.contains(&Method::GET) && !explicit.contains(&Method::HEAD) {
        automatic.insert(Method::HEAD);
    }
    let is_automatic = rule.automatic_options.unwrap_or(options.automatic_options) && !rule.is_websocket;
    if is_automatic && !explicit.contains(&Method::OPTIONS) {
        automatic.insert(Method::OPTIONS);
    }
    Ok((Some(explicit), automatic))
}

/// With one slash for each row of them.
pub(super) fn merged(path: &str) -> String {
    let mut merged = String::with_capacity(path.len());
    for letter in path.chars() {
        if letter != '/' || !merged.ends_with('/') {
            merged.push(letter);
        }
    }
    merged
}

/// More segments than any rule has. How deep the matcher goes depends on rules alone.
const MAX_PARTS: usize = 128;
