//! `dump`: the live nurseries and tasks as a tree.

use std::fmt::Write;

use crate::runtime::{Core, Kind, NodeId, Owner, TaskId, try_current};

/// The tree of nurseries, scopes, tasks and connections that are alive in the running loop, one a line, with the names
/// of the tasks and what each waits for. Empty outside a loop.
///
/// For people: the form may change.
pub fn dump() -> String {
    let Some(core) = try_current() else {
        return String::new();
    };
    let mut text = String::from("loop\n");
    let mut rest: Vec<(NodeId, usize)> = Vec::new();
    push_children(&core, core.base, 1, &mut rest);
    while let Some((id, depth)) = rest.pop() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:indent$}{}", "", describe(&core, id), indent = 2 * depth);
        push_children(&core, id, depth + 1, &mut rest);
    }
    text
}

/// Children stand newest first in the tree, so popping them gives the oldest first.
fn push_children(core: &Core, id: NodeId, depth: usize, rest: &mut Vec<(NodeId, usize)>) {
    rest.extend(core.tree.borrow().children(id).map(|child| (child, depth)));
}

fn describe(core: &Core, id: NodeId) -> String {
    let tree = core.tree.borrow();
    let node = &tree[id];
    let mut text = match (node.kind, &node.owner) {
        (Kind::Task, Owner::Task(TaskId::ROOT)) => "root".to_owned(),
        (Kind::Task, Owner::Task(task)) => {
            let described =
                core.with_slot(*task, |slot| format!("{} waits for {}", slot.name.as_str(), wait(slot.waits_for)));
            described.unwrap_or_else(|| "task".to_owned())
        }
        (Kind::Loop, _) => "loop".to_owned(),
        (Kind::Nursery, _) => "nursery".to_owned(),
        (Kind::Connection, _) => "connection".to_owned(),
        (Kind::Watcher, _) => "watcher".to_owned(),
        (Kind::Guard, _) => "shield".to_owned(),
        (Kind::Scope | Kind::Task | Kind::Free, _) => "scope".to_owned(),
    };
    if node.cancelled {
        text.push_str(" (cancelled)");
    }
    text
}

fn wait(waits_for: &'static str) -> &'static str {
    if waits_for.is_empty() { "something outside foster" } else { waits_for }
}
