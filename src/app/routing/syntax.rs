//! [`tokens`]: a pattern taken apart.

use std::ops::Range;

use super::arguments::{Argument, Arguments};
use super::error::{RuleError, RuleErrorKind};

/// A piece of a pattern.
#[derive(Debug, PartialEq)]
pub(super) enum Token<'r> {
    Slash,
    Text(&'r str),
    Variable(Variable<'r>),
}

/// `<converter(arguments):name>`.
#[derive(Debug, PartialEq)]
pub(super) struct Variable<'r> {
    /// `default` where the pattern names none.
    pub(super) converter: &'r str,
    pub(super) arguments: Arguments,
    pub(super) name: &'r str,
    pub(super) converter_span: Range<usize>,
    pub(super) name_span: Range<usize>,
}

/// Takes a pattern apart: `<` begins a variable, `/` is a slash, and everything else is text.
pub(super) fn tokens(pattern: &str) -> Result<Vec<Token<'_>>, RuleError> {
    let mut cursor = Cursor { pattern, at: 0 };
    let mut tokens = Vec::new();
    while let Some(next) = cursor.peek() {
        tokens.push(match next {
            '/' => {
                cursor.take('/');
                Token::Slash
            }
            '<' => Token::Variable(cursor.variable()?),
            _ => Token::Text(cursor.take_while(|letter| !matches!(letter, '/' | '<'))),
        });
    }
    Ok(tokens)
}

struct Cursor<'r> {
    pattern: &'r str,
    at: usize,
}

impl<'r> Cursor<'r> {
    fn variable(&mut self) -> Result<Variable<'r>, RuleError> {
        let start = self.at;
        self.take('<');
        let first = self.name(start, "the name of a variable or of a converter")?;
        let first_span = self.at - first.len()..self.at;
        let arguments = if self.peek() == Some('(') { Some(self.arguments()?) } else { None };
        let variable = if self.take(':') {
            let name = self.name(start, "the name of a variable")?;
            let name_span = self.at - name.len()..self.at;
            let arguments = arguments.unwrap_or_default();
            Variable { converter: first, arguments, name, converter_span: first_span, name_span }
        } else if arguments.is_some() {
            return Err(self.expected(start, "`:` and the name of the variable"));
        } else {
            let arguments = Arguments::default();
            Variable { converter: "default", arguments, name: first, converter_span: 0..0, name_span: first_span }
        };
        if !self.take('>') {
            return Err(self.expected(start, "`>`"));
        }
        Ok(variable)
    }

    /// A name as Python has it, in ASCII.
    fn name(&mut self, start: usize, what: &str) -> Result<&'r str, RuleError> {
        if !self.peek().is_some_and(|letter| letter.is_ascii_alphabetic() || letter == '_') {
            return Err(self.expected(start, what));
        }
        Ok(self.take_while(|letter| letter.is_ascii_alphanumeric() || letter == '_'))
    }

    /// From the opening parenthesis to the closing one.
    fn arguments(&mut self) -> Result<Arguments, RuleError> {
        let start = self.at;
        self.take('(');
        let mut list: Vec<Argument> = Vec::new();
        loop {
            self.skip_spaces();
            if self.take(')') {
                return Ok(Arguments { list });
            }
            let argument = self.argument(start)?;
            if argument.name.is_none() && list.iter().any(|before| before.name.is_some()) {
                let message = "expected `name=value`: arguments without a name come first";
                return Err(RuleError::new(self.pattern, argument.span, RuleErrorKind::Syntax, message));
            }
            list.push(argument);
            self.skip_spaces();
            if !self.take(',') && self.peek() != Some(')') {
                return Err(self.expected(start, "`,` or `)`"));
            }
        }
    }

    fn argument(&mut self, open: usize) -> Result<Argument, RuleError> {
        let start = self.at;
        let value = self.value(open)?;
        let end = self.at;
        self.skip_spaces();
        let is_quoted = self.pattern[start..].starts_with(['"', '\'']);
        if is_quoted || !self.take('=') {
            return Ok(Argument { name: None, value, span: start..end });
        }
        self.skip_spaces();
        let named = self.value(open)?;
        Ok(Argument { name: Some(value), value: named, span: start..self.at })
    }

    /// A word or a number, or anything in quotes.
    fn value(&mut self, open: usize) -> Result<String, RuleError> {
        for quote in ['"', '\''] {
            let start = self.at;
            if self.take(quote) {
                let text = self.take_while(|letter| letter != quote).to_owned();
                if !self.take(quote) {
                    let message = format!("this quotation is not closed: expected another {quote}");
                    return Err(RuleError::new(self.pattern, start..self.at, RuleErrorKind::Syntax, message));
                }
                return Ok(text);
            }
        }
        let word = self.take_while(|letter| letter.is_alphanumeric() || "_.+-".contains(letter));
        if word.is_empty() {
            return Err(self.expected(open, "an argument; put quotes around one that is not a word or a number"));
        }
        Ok(word.to_owned())
    }

    fn peek(&self) -> Option<char> {
        self.pattern[self.at..].chars().next()
    }

    fn take(&mut self, wanted: char) -> bool {
        let is_next = self.peek() == Some(wanted);
        if is_next {
            self.at += wanted.len_utf8();
        }
        is_next
    }

    fn take_while(&mut self, is_taken: impl Fn(char) -> bool) -> &'r str {
        let rest = &self.pattern[self.at..];
        let end = rest.find(|letter| !is_taken(letter)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn skip_spaces(&mut self) {
        self.take_while(char::is_whitespace);
    }

    /// Points at the next letter; at the end of the pattern, at all from what was opened at `start`.
    fn expected(&self, start: usize, what: &str) -> RuleError {
        let (span, found) = match self.peek() {
            Some(letter) => (self.at..self.at + letter.len_utf8(), format!("found {letter:?}")),
            None => (start..self.at, "the pattern ends".to_owned()),
        };
        RuleError::new(self.pattern, span, RuleErrorKind::Syntax, format!("expected {what}, but {found}"))
    }
}
