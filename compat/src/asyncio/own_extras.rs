//! The entries that a program adds to a transport's extra information.

use super::extra_info::ExtraInfo;

/// Few transports have any; an empty one holds no memory.
#[derive(Default)]
pub(super) struct OwnExtras(Vec<(&'static str, ExtraInfo)>);

impl OwnExtras {
    pub(super) fn get(&self, name: &str) -> Option<ExtraInfo> {
        self.0.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
    }

    /// Gives what stood under the name, to be dropped when no borrow is held.
    #[must_use]
    pub(super) fn set(&mut self, name: &'static str, value: ExtraInfo) -> Option<ExtraInfo> {
        let old = self.0.iter().position(|(key, _)| *key == name).map(|at| self.0.swap_remove(at).1);
        self.0.push((name, value));
        old
    }
}
