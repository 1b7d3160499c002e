//! The cancel tree: one node for every task, scope, nursery and connection of a loop.
//!
//! A node is *effectively cancelled* when it was cancelled itself or when its parent is and it has no shield. The
//! flag is kept on every node rather than searched for, so that a poll reads one word; [`Tree::refresh`] is the only
//! place that changes it below a node, iteratively.
//!
//! Within one task, a node also counts its *guards*: the regions inside it that must not be dropped although it is
//! cancelled (a shield, a nested nursery, a `finally`). A guard is counted on every node from the region's parent up
//! to the task's own node, never beyond: other tasks are waited for by their nursery, not by a guard.
//! Invariant: `guards` of a node is the sum of what the regions below it, in the same task, have raised.

use std::rc::Rc;
use std::task::Waker;

use tokio::time::Instant;

use super::ready::{Event, Source};
use super::tasks::TaskId;
use super::timers::TimerKey;

/// The index of a node; [`NodeId::NONE`] where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeId(u32);

impl NodeId {
    pub(crate) const NONE: NodeId = NodeId(u32::MAX);

    pub(crate) fn is_none(self) -> bool {
        self == NodeId::NONE
    }
}

/// What a node stands for, as `dump` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Task,
    Scope,
    /// A shield or a `finally`: no scope that anybody could cancel.
    Guard,
    Nursery,
    Connection,
}

/// Whom a cancellation of the node concerns.
pub(crate) enum Owner {
    /// The task whose future holds the node's region.
    Task(TaskId),
    /// A source that is told by an event.
    Source(Rc<dyn Source>, Event),
}

/// Why a scope was cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelReason {
    source: CancelSource,
    message: Option<Rc<str>>,
}

/// Who cancelled a scope: trio's `CancelReason.source`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelSource {
    /// Somebody called `cancel` or `cancel_with`.
    Explicit,
    /// A deadline passed.
    Deadline,
    /// A child or the body of the nursery failed.
    Nursery,
    /// The loop ends: a signal came, or its root is done.
    Shutdown,
}

impl CancelReason {
    pub(crate) const fn new(source: CancelSource) -> Self {
        CancelReason { source, message: None }
    }

    pub(crate) fn explicit(message: &str) -> Self {
        CancelReason { source: CancelSource::Explicit, message: Some(message.into()) }
    }

    /// Who cancelled.
    pub fn source(&self) -> CancelSource {
        self.source
    }

    /// The text given to `cancel_with`.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}

impl std::fmt::Display for CancelReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.message, self.source) {
            (Some(message), _) => f.write_str(message),
            (None, CancelSource::Explicit) => f.write_str("cancelled"),
            (None, CancelSource::Deadline) => f.write_str("the deadline passed"),
            (None, CancelSource::Nursery) => f.write_str("the nursery was cancelled by an error"),
            (None, CancelSource::Shutdown) => f.write_str("the loop is shutting down"),
        }
    }
}

pub(crate) struct Node {
    pub(crate) parent: NodeId,
    pub(crate) first: NodeId,
    pub(crate) next: NodeId,
    previous: NodeId,
    pub(crate) kind: Kind,
    /// The first node of a task (or a connection): guards stop here.
    pub(crate) is_root: bool,
    /// Cancelled by itself.
    pub(crate) own: bool,
    /// Effectively cancelled.
    pub(crate) cancelled: bool,
    pub(crate) shield: bool,
    pub(crate) guards: u32,
    /// Tells a reused slot from the node that a handle remembers.
    pub(crate) generation: u32,
    pub(crate) owner: Owner,
    /// Of whoever polls the region, when that is not the task itself (`join!` passes the task's, a
    /// `FuturesUnordered` its own).
    pub(crate) waker: Option<Waker>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) timer: Option<TimerKey>,
    pub(crate) reason: Option<Rc<CancelReason>>,
    /// Nobody's: it stands in [`Tree::vacant`].
    is_vacant: bool,
}

/// What a node that was taken out still held, to be dropped when the tree is no longer borrowed.
pub(crate) struct Removed {
    pub(crate) timer: Option<TimerKey>,
    _held: (Owner, Option<Waker>, Option<Rc<CancelReason>>),
}

/// A node is made and removed for every scope that is entered, so one that was removed is reused in place: only what
/// differs is written, and nothing is moved.
#[derive(Default)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    vacant: Vec<NodeId>,
    n_made: u32,
}

impl Tree {
    pub(crate) fn insert(&mut self, parent: NodeId, kind: Kind, owner: Owner, is_root: bool, shield: bool) -> NodeId {
        self.n_made = self.n_made.wrapping_add(1);
        let id = self.vacant.pop().unwrap_or_else(|| self.grow());
        let (cancelled, next) = match self.get_mut(parent) {
            Some(parent) => (parent.cancelled && !shield, std::mem::replace(&mut parent.first, id)),
            None => (false, NodeId::NONE),
        };
        if let Some(next) = self.get_mut(next) {
            next.previous = id;
        }
        let generation = self.n_made;
        let node = &mut self.nodes[id.0 as usize];
        node.is_vacant = false;
        (node.parent, node.first, node.next, node.previous) = (parent, NodeId::NONE, next, NodeId::NONE);
        (node.kind, node.is_root, node.shield, node.generation) = (kind, is_root, shield, generation);
        (node.own, node.cancelled, node.guards, node.deadline) = (false, cancelled, 0, None);
        node.owner = owner;
        id
    }

    /// Makes room for one node more.
    #[cold]
    fn grow(&mut self) -> NodeId {
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(Node {
            parent: NodeId::NONE,
            first: NodeId::NONE,
            next: NodeId::NONE,
            previous: NodeId::NONE,
            kind: Kind::Scope,
            is_root: false,
            own: false,
            cancelled: false,
            shield: false,
            guards: 0,
            generation: 0,
            owner: Owner::Task(TaskId::ROOT),
            waker: None,
            deadline: None,
            timer: None,
            reason: None,
            is_vacant: true,
        });
        id
    }

    /// Takes a node out. Its children, if foreign code leaked some or moved them away, become roots of their own,
    /// and the guards they have raised above the node are taken back. `released` as in
    /// [`lower_guards`](Tree::lower_guards).
    pub(crate) fn remove(&mut self, id: NodeId, released: &mut Vec<NodeId>) -> Removed {
        let (parent, guards, is_root) = (self[id].parent, self[id].guards, self[id].is_root);
        if guards > 0 && !is_root {
            self.lower_guards(parent, guards, released);
        }
        self.unlink(id);
        let mut child = self[id].first;
        while !child.is_none() {
            let node = &mut self[child];
            let next = node.next;
            (node.parent, node.next, node.previous) = (NodeId::NONE, NodeId::NONE, NodeId::NONE);
            child = next;
        }
        self.vacant.push(id);
        let node = &mut self[id];
        node.is_vacant = true;
        let owner = std::mem::replace(&mut node.owner, Owner::Task(TaskId::ROOT));
        Removed { timer: node.timer.take(), _held: (owner, node.waker.take(), node.reason.take()) }
    }

    pub(crate) fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize).filter(|node| !node.is_vacant)
    }

    pub(crate) fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id.0 as usize).filter(|node| !node.is_vacant)
    }

    pub(crate) fn is_cancelled(&self, id: NodeId) -> bool {
        self.get(id).is_some_and(|node| node.cancelled)
    }

    /// Cancelled, and nothing inside asks to be left alone.
    pub(crate) fn must_drop(&self, id: NodeId) -> bool {
        let node = &self[id];
        node.cancelled && node.guards == 0
    }

    /// Moves `id`, with everything below it, under `parent`.
    pub(crate) fn reparent(&mut self, id: NodeId, parent: NodeId) {
        self.unlink(id);
        self.link(id, parent);
    }

    /// Counts `n` guards more on `from` and every node above it in the same task.
    pub(crate) fn raise_guards(&mut self, from: NodeId, n: u32) {
        self.each_up_to_root(from, |node| node.guards += n);
    }

    /// Counts `n` guards less on `from` and every node above it in the same task.
    ///
    /// `released` gets the cancelled nodes that nothing holds back any more: they are due to be dropped, and the task
    /// that must do it need not be the one that runs.
    pub(crate) fn lower_guards(&mut self, from: NodeId, n: u32, released: &mut Vec<NodeId>) {
        let mut id = from;
        self.each_up_to_root(from, |node| {
            node.guards -= n;
            if node.guards == 0 && node.cancelled {
                released.push(id);
            }
            id = node.parent;
        });
    }

    /// Says that everything below `id` in the same task now belongs to `task`.
    pub(crate) fn set_task(&mut self, id: NodeId, task: TaskId) {
        let mut rest = vec![id];
        while let Some(id) = rest.pop() {
            if !self[id].is_root {
                self[id].owner = Owner::Task(task);
                self.push_children(id, &mut rest);
            }
        }
    }

    /// Brings the effective flag of `id` and of everything below it up to date.
    ///
    /// Calls `changed` for each node whose flag goes up, or down because a shield was raised. It runs under the borrow
    /// of the tree: it may queue and collect, not call out.
    pub(crate) fn refresh(&mut self, id: NodeId, mut changed: impl FnMut(&mut Node)) {
        let mut rest = vec![id];
        while let Some(id) = rest.pop() {
            let above = self.is_cancelled(self[id].parent);
            let node = &mut self[id];
            let cancelled = node.own || (above && !node.shield);
            if cancelled == node.cancelled {
                continue;
            }
            node.cancelled = cancelled;
            changed(node);
            self.push_children(id, &mut rest);
        }
    }

    /// The innermost node at or above `id` that was cancelled itself.
    pub(crate) fn cancelled_by(&self, mut id: NodeId) -> Option<&Node> {
        while let Some(node) = self.get(id) {
            if node.own {
                return Some(node);
            }
            if node.shield {
                return None;
            }
            id = node.parent;
        }
        None
    }

    /// The first node at or above `id` that can be cancelled.
    pub(crate) fn innermost_scope(&self, mut id: NodeId) -> NodeId {
        while let Some(node) = self.get(id).filter(|node| node.kind == Kind::Guard) {
            id = node.parent;
        }
        id
    }

    /// Every node that is the first of a task or of a connection.
    pub(crate) fn roots(&self) -> Vec<NodeId> {
        let roots = self.nodes.iter().enumerate().filter(|(_, node)| node.is_root && !node.is_vacant);
        roots.map(|(index, _)| NodeId(index as u32)).collect()
    }

    pub(crate) fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let first = self.get(id).map(|node| node.first).filter(|first| !first.is_none());
        std::iter::successors(first, |child| Some(self[*child].next).filter(|next| !next.is_none()))
    }

    fn push_children(&self, id: NodeId, rest: &mut Vec<NodeId>) {
        rest.extend(self.children(id));
    }

    fn each_up_to_root(&mut self, mut id: NodeId, mut change: impl FnMut(&mut Node)) {
        while let Some(node) = self.get_mut(id) {
            change(node);
            if node.is_root {
                break;
            }
            id = node.parent;
        }
    }

    fn link(&mut self, id: NodeId, parent: NodeId) {
        let next = self.get(parent).map_or(NodeId::NONE, |parent| parent.first);
        if let Some(next) = self.get_mut(next) {
            next.previous = id;
        }
        if let Some(parent) = self.get_mut(parent) {
            parent.first = id;
        }
        let node = &mut self[id];
        (node.parent, node.next, node.previous) = (parent, next, NodeId::NONE);
    }

    fn unlink(&mut self, id: NodeId) {
        let (parent, next, previous) = (self[id].parent, self[id].next, self[id].previous);
        if let Some(next) = self.get_mut(next) {
            next.previous = previous;
        }
        if let Some(previous) = self.get_mut(previous) {
            previous.next = next;
        } else if let Some(parent) = self.get_mut(parent) {
            parent.first = next;
        }
    }
}

impl std::ops::Index<NodeId> for Tree {
    type Output = Node;

    fn index(&self, id: NodeId) -> &Node {
        &self.nodes[id.0 as usize]
    }
}

impl std::ops::IndexMut<NodeId> for Tree {
    fn index_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id.0 as usize]
    }
}
