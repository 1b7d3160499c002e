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

use slab::Slab;
use tokio::time::Instant;

use super::ready::Source;
use super::tasks::TaskId;
use super::timers::TimerKey;

/// The index of a node; [`NodeId::NONE`] where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodeId(u32);

impl NodeId {
    pub(crate) const NONE: NodeId = NodeId(u32::MAX);

    /// Ids from here on, but for `NONE`, stand for fresh scopes.
    const FIRST_FRESH: u32 = 1 << 31;

    pub(super) fn fresh(index: usize) -> Self {
        NodeId(NodeId::FIRST_FRESH + index as u32)
    }

    /// The place of a fresh scope on its stack.
    #[inline]
    pub(super) fn fresh_index(self) -> Option<usize> {
        (self.0 >= NodeId::FIRST_FRESH && !self.is_none()).then(|| (self.0 - NodeId::FIRST_FRESH) as usize)
    }

    pub(crate) fn is_none(self) -> bool {
        self == NodeId::NONE
    }
}

/// What a node stands for, as `dump` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Of nothing: the node is free.
    Free,
    /// What belongs to the loop itself.
    Loop,
    Task,
    Scope,
    /// A shield or a `finally`: no scope that anybody could cancel.
    Guard,
    Nursery,
    Connection,
    /// What waits for a descriptor or a signal, in the background.
    Watcher,
}

impl Kind {
    /// Whether it is the first node of a task or of a source: guards stop here.
    pub(crate) fn is_root(self) -> bool {
        matches!(self, Kind::Loop | Kind::Task | Kind::Connection | Kind::Watcher)
    }
}

/// Whom a cancellation of the node concerns.
pub(crate) enum Owner {
    /// The task whose future holds the node's region.
    Task(TaskId),
    /// A source that is told by `Event::CANCELLED`.
    Source(Rc<dyn Source>),
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

/// An idle connection has one, its handler that waits another or two: what few have stands in [`Rest`].
pub(crate) struct Node {
    pub(crate) parent: NodeId,
    pub(crate) first: NodeId,
    pub(crate) next: NodeId,
    previous: NodeId,
    pub(crate) guards: u32,
    /// Tells a reused slot from the node that a handle remembers.
    pub(crate) generation: u32,
    pub(crate) owner: Owner,
    /// The place of its [`Rest`], or [`NO_REST`].
    rest: u32,
    pub(crate) kind: Kind,
    /// Cancelled by itself.
    pub(crate) own: bool,
    /// Effectively cancelled.
    pub(crate) cancelled: bool,
    pub(crate) shield: bool,
}

const NO_REST: u32 = u32::MAX;

/// What few nodes have.
#[derive(Default)]
pub(crate) struct Rest {
    /// Of whoever polls the region, when that is not the task itself (`join!` passes the task's, a
    /// `FuturesUnordered` its own).
    pub(crate) waker: Option<Waker>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) timer: Option<TimerKey>,
    pub(crate) reason: Option<Rc<CancelReason>>,
}

impl Rest {
    fn is_empty(&self) -> bool {
        self.waker.is_none() && self.deadline.is_none() && self.timer.is_none() && self.reason.is_none()
    }
}

impl Node {
    fn vacant() -> Self {
        Node {
            parent: NodeId::NONE,
            first: NodeId::NONE,
            next: NodeId::NONE,
            previous: NodeId::NONE,
            guards: 0,
            generation: 0,
            owner: Owner::Task(TaskId::ROOT),
            rest: NO_REST,
            kind: Kind::Free,
            own: false,
            cancelled: false,
            shield: false,
        }
    }
}

/// The nodes stay where they are when they are freed, and are used again: a scope around a ready future writes a few
/// words of a node that is still in the cache.
pub(crate) struct Tree {
    nodes: Vec<Node>,
    rests: Slab<Rest>,
    /// The first freed node; `next` leads on.
    free: NodeId,
    n_made: u32,
}

/// What a freed node held, to be dropped when the tree is no longer borrowed.
pub(crate) struct Leftovers {
    pub(crate) rest: Option<Rest>,
    _owner: Owner,
}

impl Tree {
    pub(crate) fn new() -> Self {
        Tree { nodes: Vec::new(), rests: Slab::new(), free: NodeId::NONE, n_made: 0 }
    }

    pub(crate) fn insert(&mut self, parent: NodeId, kind: Kind, owner: Owner, shield: bool) -> NodeId {
        let id = self.vacant();
        self.n_made = self.n_made.wrapping_add(1);
        let generation = self.n_made;
        // A new node is its parent's first child.
        let (parent, next, above) = match self.get_mut(parent) {
            Some(node) => (parent, std::mem::replace(&mut node.first, id), node.cancelled),
            None => (NodeId::NONE, NodeId::NONE, false),
        };
        if !next.is_none() {
            self[next].previous = id;
        }
        let node = &mut self[id];
        (node.parent, node.first, node.next, node.previous) = (parent, NodeId::NONE, next, NodeId::NONE);
        (node.kind, node.shield) = (kind, shield);
        (node.own, node.cancelled) = (false, above && !shield);
        (node.guards, node.generation) = (0, generation);
        node.owner = owner;
        id
    }

    /// Takes a node out. Its children, if foreign code leaked some or moved them away, become roots of their own,
    /// and the guards they have raised above the node are taken back. `released` as in
    /// [`lower_guards`](Tree::lower_guards).
    pub(crate) fn remove(&mut self, id: NodeId, released: &mut Vec<NodeId>) -> Option<Leftovers> {
        let node = &self[id];
        let (parent, guards, kind) = (node.parent, node.guards, node.kind);
        if guards > 0 && !kind.is_root() {
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
        let free = std::mem::replace(&mut self.free, id);
        let node = &mut self[id];
        node.kind = Kind::Free;
        node.next = free;
        // Most scopes hold nothing beyond numbers.
        if node.rest == NO_REST && matches!(node.owner, Owner::Task(_)) {
            return None;
        }
        let owner = std::mem::replace(&mut node.owner, Owner::Task(TaskId::ROOT));
        let key = std::mem::replace(&mut node.rest, NO_REST);
        Some(Leftovers { rest: self.rests.try_remove(key as usize), _owner: owner })
    }

    fn vacant(&mut self) -> NodeId {
        let id = self.free;
        if id.is_none() {
            self.nodes.push(Node::vacant());
            return NodeId(self.nodes.len() as u32 - 1);
        }
        self.free = self[id].next;
        id
    }

    #[inline]
    pub(crate) fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.0 as usize).filter(|node| node.kind != Kind::Free)
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: NodeId) -> Option<&mut Node> {
        self.nodes.get_mut(id.0 as usize).filter(|node| node.kind != Kind::Free)
    }

    /// What few nodes have, if it is there.
    #[inline]
    pub(crate) fn rest(&self, id: NodeId) -> Option<&Rest> {
        let key = self[id].rest;
        if key == NO_REST { None } else { self.rests.get(key as usize) }
    }

    /// What few nodes have, made if it is not there.
    pub(crate) fn rest_mut(&mut self, id: NodeId) -> &mut Rest {
        if self[id].rest == NO_REST {
            self[id].rest = self.rests.insert(Rest::default()) as u32;
        }
        let key = self[id].rest;
        &mut self.rests[key as usize]
    }

    pub(crate) fn deadline(&self, id: NodeId) -> Option<Instant> {
        self.rest(id)?.deadline
    }

    pub(crate) fn set_deadline(&mut self, id: NodeId, deadline: Option<Instant>) {
        if deadline.is_some() || self.rest(id).is_some() {
            self.rest_mut(id).deadline = deadline;
        }
    }

    pub(crate) fn take_timer(&mut self, id: NodeId) -> Option<TimerKey> {
        if self.rest(id).is_some() { self.rest_mut(id).timer.take() } else { None }
    }

    /// Sets the waker of whoever polls the region, `None` for the task itself; gives the one that was there.
    pub(crate) fn set_waker(&mut self, id: NodeId, waker: Option<&Waker>) -> Option<Waker> {
        if waker.is_none() && self.rest(id).is_none() {
            return None;
        }
        let rest = self.rest_mut(id);
        if rest.waker.as_ref().zip(waker).is_some_and(|(known, waker)| known.will_wake(waker)) {
            return None;
        }
        let old = std::mem::replace(&mut rest.waker, waker.cloned());
        if rest.is_empty() {
            let key = std::mem::replace(&mut self[id].rest, NO_REST);
            self.rests.remove(key as usize);
        }
        old
    }

    /// Why the node was cancelled itself, if it was.
    pub(crate) fn reason(&self, id: NodeId) -> Option<CancelReason> {
        self.rest(id)?.reason.as_deref().cloned()
    }

    pub(crate) fn is_cancelled(&self, id: NodeId) -> bool {
        self.get(id).is_some_and(|node| node.cancelled)
    }

    /// Not cancelled, and without anything that few have.
    #[inline]
    pub(crate) fn is_plain(&self, id: NodeId) -> bool {
        let node = &self[id];
        node.rest == NO_REST && !node.cancelled
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
            if !self[id].kind.is_root() {
                self[id].owner = Owner::Task(task);
                self.push_children(id, &mut rest);
            }
        }
    }

    /// Brings the effective flag of `id` and of everything below it up to date.
    ///
    /// Calls `changed` for each node whose flag goes up, or down because a shield was raised. It may queue and collect,
    /// not call out: the tree is borrowed.
    pub(crate) fn refresh(&mut self, id: NodeId, mut changed: impl FnMut(&mut Tree, NodeId)) {
        let mut rest = vec![id];
        while let Some(id) = rest.pop() {
            let above = self.is_cancelled(self[id].parent);
            let node = &mut self[id];
            let cancelled = node.own || (above && !node.shield);
            if cancelled == node.cancelled {
                continue;
            }
            node.cancelled = cancelled;
            changed(self, id);
            self.push_children(id, &mut rest);
        }
    }

    /// The innermost node at or above `id` that was cancelled itself.
    pub(crate) fn cancelled_by(&self, mut id: NodeId) -> Option<NodeId> {
        while let Some(node) = self.get(id) {
            if node.own {
                return Some(id);
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
        let roots = self.nodes.iter().enumerate().filter(|(_, node)| node.kind.is_root());
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
            if node.kind.is_root() {
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
