//! Scopes that have not suspended yet.
//!
//! Most scopes with a deadline surround something that is ready at once. They get no node in the cancel tree until
//! somebody asks for the current scope, or until they suspend; before that they are an entry on a stack, because a
//! first poll nests strictly.

use tokio::time::Instant;

use super::core::Core;
use super::tree::{Kind, NodeId, Owner};

/// An entered scope that may still be without a node.
pub(super) struct Fresh {
    /// The scope around it, which may be a fresh one further down the stack.
    parent: NodeId,
    deadline: Option<Instant>,
    /// [`NodeId::NONE`] until it is needed.
    node: NodeId,
}

/// The first poll of a scope; leaves the scope when it is dropped.
pub(crate) struct FirstPoll<'a> {
    core: &'a Core,
    parent: NodeId,
}

impl Core {
    /// Enters a scope for its first poll.
    #[inline]
    pub(crate) fn first_poll(&self, deadline: Option<Instant>) -> FirstPoll<'_> {
        let mut fresh = self.fresh.borrow_mut();
        let parent = self.scope.replace(NodeId::fresh(fresh.len()));
        fresh.push(Fresh { parent, deadline, node: NodeId::NONE });
        FirstPoll { core: self, parent }
    }

    /// The innermost scope, nursery or task of the code that runs.
    #[inline]
    pub(crate) fn scope(&self) -> NodeId {
        let id = self.scope.get();
        match id.fresh_index() {
            Some(index) => self.materialize(index),
            None => id,
        }
    }

    /// Gives the fresh scopes up to `index` their nodes.
    #[cold]
    fn materialize(&self, index: usize) -> NodeId {
        let mut fresh = self.fresh.borrow_mut();
        let mut tree = self.tree.borrow_mut();
        for n in 0..=index {
            if fresh[n].node.is_none() {
                let parent = fresh[n].parent.fresh_index().map_or(fresh[n].parent, |above| fresh[above].node);
                let node = tree.insert(parent, Kind::Scope, Owner::Task(self.current_task()), false);
                tree.set_deadline(node, fresh[n].deadline);
                fresh[n].node = node;
            }
        }
        fresh[index].node
    }
}

impl FirstPoll<'_> {
    /// Ends the first poll of a scope that has suspended, and gives its node to the caller.
    pub(crate) fn suspend(self) -> NodeId {
        let node = self.core.scope();
        if let Some(fresh) = self.core.fresh.borrow_mut().last_mut() {
            fresh.node = NodeId::NONE;
        }
        node
    }
}

impl Drop for FirstPoll<'_> {
    #[inline]
    fn drop(&mut self) {
        let fresh = self.core.fresh.borrow_mut().pop();
        self.core.scope.set(self.parent);
        if let Some(node) = fresh.map(|fresh| fresh.node).filter(|node| !node.is_none()) {
            self.core.free_node(node);
        }
    }
}
