//! The paths that a source file names.

use std::path::{Path, PathBuf};

use super::tokens::{Kind, Token, tokens};

/// A file without its comments and without what only tests see.
pub(crate) struct Outline {
    paths: Vec<Found>,
    /// `mod` lines that only tests see: the name, and the file if an attribute gives it.
    test_modules: Vec<(String, Option<String>)>,
}

/// A path as it stands in the source, `use` groups taken apart; `*` is a segment.
pub(crate) struct Found {
    pub(crate) line: usize,
    pub(crate) segments: Vec<String>,
    /// How many inline modules stand around it.
    depth: usize,
    is_pub_use: bool,
}

impl Outline {
    pub(crate) fn of(source: &str) -> Self {
        let mut reader = Reader { tokens: tokens(source), at: 0, paths: Vec::new(), test_modules: Vec::new() };
        reader.read();
        Outline { paths: reader.paths, test_modules: reader.test_modules }
    }

    pub(crate) fn paths(&self) -> &[Found] {
        &self.paths
    }

    /// What the file makes public under a shorter path: (name, first module of its path).
    pub(crate) fn reexports(&self) -> Vec<(String, String)> {
        let reexports = self.paths.iter().filter(|found| found.is_pub_use && found.segments.len() > 1);
        reexports.map(|found| (found.segments[found.segments.len() - 1].clone(), found.segments[0].clone())).collect()
    }

    /// The files that this one declares for tests only.
    pub(crate) fn test_files(&self, own: &Path) -> Vec<PathBuf> {
        let folder = own.parent().unwrap_or(Path::new(""));
        let stem = own.file_stem().unwrap_or_default();
        let below = if stem == "mod" || stem == "lib" { folder.to_owned() } else { folder.join(stem) };
        let file = |(name, path): &(String, Option<String>)| match path {
            Some(path) => folder.join(path),
            None => below.join(name).with_extension("rs"),
        };
        self.test_modules.iter().map(file).collect()
    }
}

impl Found {
    /// The path from the root of the crate, if it is known to begin there; `module` is the file's own.
    pub(crate) fn in_crate(&self, module: &[String]) -> Option<&[String]> {
        if self.segments[0] == "crate" {
            return Some(&self.segments[1..]);
        }
        let n_supers = self.segments.iter().take_while(|segment| *segment == "super").count();
        (n_supers > 0 && n_supers == module.len() + self.depth).then(|| &self.segments[n_supers..])
    }
}

struct Reader {
    tokens: Vec<Token>,
    at: usize,
    paths: Vec<Found>,
    test_modules: Vec<(String, Option<String>)>,
}

impl Reader {
    fn read(&mut self) {
        // For every open brace: whether it is that of an inline module.
        let mut braces = Vec::new();
        let mut is_pub_use = false;
        while let Some(token) = self.tokens.get(self.at).cloned() {
            let depth = braces.iter().filter(|is_module| **is_module).count();
            match token.kind {
                Kind::Mark('#') if self.is_for_tests() => self.skip_test_item(),
                Kind::Mark('{') => {
                    braces.push(self.is_word_at(self.at.wrapping_sub(2), "mod"));
                    self.at += 1;
                }
                Kind::Mark('}') => {
                    braces.pop();
                    self.at += 1;
                }
                Kind::Word(word) if word == "pub" && self.is_mark_at(self.at + 1, '(') => {
                    self.at = self.closing(self.at + 1) + 1;
                    is_pub_use = false;
                }
                Kind::Word(word) => {
                    is_pub_use = match word.as_str() {
                        "pub" => self.is_word_at(self.at + 1, "use"),
                        "use" => is_pub_use,
                        _ => {
                            self.path(Vec::new(), depth, is_pub_use);
                            false
                        }
                    };
                    if word == "pub" || word == "use" {
                        self.at += 1;
                    }
                }
                _ => self.at += 1,
            }
        }
    }

    /// Reads the path that begins here, and every branch of it if it is a group.
    fn path(&mut self, mut segments: Vec<String>, depth: usize, is_pub_use: bool) {
        loop {
            let Some(token) = self.tokens.get(self.at).cloned() else { return };
            match token.kind {
                Kind::Word(word) => {
                    self.at += 1;
                    // `{self}` names the path in front of the group.
                    if word != "self" {
                        segments.push(word);
                    }
                }
                Kind::Mark('*') => {
                    self.at += 1;
                    segments.push("*".to_owned());
                }
                Kind::Mark('{') => {
                    let end = self.closing(self.at);
                    self.at += 1;
                    while self.at < end {
                        let begin = self.at;
                        self.path(segments.clone(), depth, is_pub_use);
                        // Past `as NAME`, a comma, or whatever else stands there.
                        while self.at < end && (self.at == begin || !self.is_mark_at(self.at - 1, ',')) {
                            self.at += 1;
                        }
                    }
                    self.at = end + 1;
                    return;
                }
                _ => return self.note(token.line, segments, depth, is_pub_use),
            }
            if self.tokens.get(self.at).map(|token| &token.kind) != Some(&Kind::Colons) {
                return self.note(token.line, segments, depth, is_pub_use);
            }
            self.at += 1;
        }
    }

    fn note(&mut self, line: usize, segments: Vec<String>, depth: usize, is_pub_use: bool) {
        if !segments.is_empty() {
            self.paths.push(Found { line, segments, depth, is_pub_use });
        }
    }

    /// Whether `#[cfg(..)]` with `test` in it, and without `not`, stands here.
    fn is_for_tests(&self) -> bool {
        if !(self.is_mark_at(self.at + 1, '[') && self.is_word_at(self.at + 2, "cfg")) {
            return false;
        }
        let words = self.at..self.closing(self.at + 1);
        words.clone().any(|at| self.is_word_at(at, "test")) && !words.clone().any(|at| self.is_word_at(at, "not"))
    }

    /// Skips the item behind an attribute, with the attribute.
    fn skip_test_item(&mut self) {
        let mut path = None;
        while self.is_mark_at(self.at, '#') {
            if self.is_word_at(self.at + 2, "path")
                && let Some(Kind::Text(text)) = self.tokens.get(self.at + 4).map(|token| &token.kind)
            {
                path = Some(text.clone());
            }
            self.at = self.closing(self.at + 1) + 1;
        }
        if self.is_word_at(self.at, "mod")
            && self.is_mark_at(self.at + 2, ';')
            && let Some(Kind::Word(name)) = self.tokens.get(self.at + 1).map(|token| &token.kind)
        {
            self.test_modules.push((name.clone(), path));
        }
        while self.at < self.tokens.len() && !self.is_mark_at(self.at, ';') {
            if self.is_mark_at(self.at, '{') {
                self.at = self.closing(self.at);
                break;
            }
            self.at += 1;
        }
        self.at += 1;
    }

    /// Where the bracket that opens at `open` closes; the last token if it never does.
    fn closing(&self, open: usize) -> usize {
        let mut depth = 0;
        for (at, token) in self.tokens.iter().enumerate().skip(open) {
            match token.kind {
                Kind::Mark('(' | '[' | '{') => depth += 1,
                Kind::Mark(')' | ']' | '}') => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at;
            }
        }
        self.tokens.len().saturating_sub(1)
    }

    fn is_word_at(&self, at: usize, wanted: &str) -> bool {
        matches!(self.tokens.get(at), Some(Token { kind: Kind::Word(word), .. }) if word == wanted)
    }

    fn is_mark_at(&self, at: usize, wanted: char) -> bool {
        matches!(self.tokens.get(at), Some(Token { kind: Kind::Mark(mark), .. }) if *mark == wanted)
    }
}
