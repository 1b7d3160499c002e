//! A line that is edited key by key, as a terminal shows it.

use std::collections::VecDeque;
use std::mem;

use super::keys::Key;

const PROMPT: &str = "> ";

/// The longest line in characters.
const MAX_LINE: usize = 512;

/// How many lines are remembered.
const MAX_HISTORY: usize = 50;

/// How much of a line is shown: what a window of 80 columns has beside the prompt, and one for a cursor behind the line.
const N_COLUMNS: usize = 80 - PROMPT.len() - 1;

/// To the beginning of the row, and what stands there is gone.
pub(crate) const CLEAR: &str = "\r\x1b[K";

/// A line, and those before it.
#[derive(Debug, Default)]
pub(crate) struct Editor {
    line: Vec<char>,
    /// How many characters stand before the cursor.
    cursor: usize,
    /// The newest comes last.
    history: VecDeque<String>,
    /// Which of the lines before is looked at, counted from the newest; 0 is the line that is being written.
    n_back: usize,
    /// That line, while another is looked at.
    draft: String,
}

impl Editor {
    /// Takes a key; gives the line if it ends it.
    pub(crate) fn press(&mut self, key: Key) -> Option<String> {
        match key {
            Key::Char(char) if self.line.len() < MAX_LINE => {
                self.line.insert(self.cursor, char);
                self.cursor += 1;
            }
            Key::Char(_) => {}
            Key::Enter => return Some(self.enter()),
            Key::Backspace => self.erase_from(self.cursor.saturating_sub(1)),
            Key::EraseLine => self.erase_from(0),
            Key::EraseWord => {
                let before = &self.line[..self.cursor];
                let word = before.iter().rposition(|char| *char != ' ').unwrap_or(0);
                let gap = before[..word].iter().rposition(|char| *char == ' ');
                self.erase_from(gap.map_or(0, |gap| gap + 1));
            }
            Key::Left => self.cursor = self.cursor.saturating_sub(1),
            Key::Right => self.cursor = self.line.len().min(self.cursor + 1),
            Key::Up => self.look(self.n_back + 1),
            Key::Down => self.look(self.n_back.saturating_sub(1)),
            Key::Leave => {}
        }
        None
    }

    /// Draws the prompt, and the part of the line around the cursor that fits, over the row that the cursor is in.
    pub(crate) fn draw(&self) -> String {
        let start = self.cursor.saturating_sub(N_COLUMNS);
        let end = self.line.len().min(start + N_COLUMNS);
        let shown: String = self.line[start..end].iter().collect();
        let n_behind = end - self.cursor;
        let back = if n_behind > 0 { format!("\x1b[{n_behind}D") } else { String::new() };
        format!("{CLEAR}{PROMPT}{shown}{back}")
    }

    fn enter(&mut self) -> String {
        let line: String = mem::take(&mut self.line).into_iter().collect();
        self.cursor = 0;
        self.n_back = 0;
        if !line.is_empty() && self.history.back() != Some(&line) {
            if self.history.len() == MAX_HISTORY {
                self.history.pop_front();
            }
            self.history.push_back(line.clone());
        }
        line
    }

    /// Erases from there to the cursor.
    fn erase_from(&mut self, start: usize) {
        self.line.drain(start..self.cursor);
        self.cursor = start;
    }

    /// Looks at the line so many back, if there is one.
    fn look(&mut self, n_back: usize) {
        let Some(nth) = self.history.len().checked_sub(n_back) else { return };
        if self.n_back == 0 {
            self.draft = self.line.iter().collect();
        }
        let line = if n_back == 0 { Some(&self.draft) } else { self.history.get(nth) };
        self.line = line.map(|line| line.chars().collect()).unwrap_or_default();
        self.cursor = self.line.len();
        self.n_back = n_back;
    }
}
