//! [`Broadcast`]: one message to many.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;

use slab::Slab;

use super::batch::Batch;
use super::session::{MAX_OUTBOX, Session};
use super::websocket::WebSocket;
use crate::websocket::close::{CloseCode, CloseFrame};
use crate::websocket::message::Message;
use crate::websocket::prepared::PreparedMessage;

/// Bytes that a member may leave untaken before it counts as slow, unless set.
pub const DEFAULT_MAX_UNSENT: usize = 1024 * 1024;

/// What becomes of a member that takes its messages too slowly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Slow {
    /// It misses the message.
    #[default]
    Skip,
    /// It is closed with 1008, and is no member any more.
    Disconnect,
}

/// Sends messages to many WebSockets, each encoded once: a chat room, a feed. A clone is the same.
///
/// Sending waits for nobody. A member that does not take what it is sent is skipped or disconnected, by policy, once
/// that amounts to [`DEFAULT_MAX_UNSENT`] bytes; the others notice nothing of it. A member leaves when its WebSocket has
/// ended or its [`Membership`] is dropped: a `Drop` that tells the others of it comes first if it was declared behind the
/// membership, and then still reaches the one who leaves.
///
/// ```
/// use foster::Result;
/// use foster::websocket::{Broadcast, WebSocket};
///
/// async fn chat(room: Broadcast, websocket: WebSocket) -> Result<()> {
///     let _membership = room.join(&websocket)?;
///     loop {
///         let message = websocket.receive().await?;
///         room.send(message);
///     }
/// }
/// ```
#[derive(Clone, Default)]
pub struct Broadcast {
    room: Rc<Room>,
}

struct Room {
    members: RefCell<Slab<WebSocket>>,
    /// Whoever follows it is a member.
    batch: Rc<Batch>,
    /// How often all members were asked to follow, modulo 2^32.
    n_passes: Cell<u32>,
    slow: Slow,
    max_unsent: usize,
}

impl Default for Room {
    fn default() -> Self {
        Room::new(Slow::default(), DEFAULT_MAX_UNSENT)
    }
}

impl Room {
    fn new(slow: Slow, max_unsent: usize) -> Self {
        Room { members: RefCell::default(), batch: Rc::default(), n_passes: Cell::new(0), slow, max_unsent }
    }

    /// Gives how many members took the message.
    fn send(self: &Rc<Self>, message: &PreparedMessage) -> usize {
        let n_members = self.members.borrow().len();
        let all_follow = self.batch.n_followers() == n_members && self.batch.max_unsent() <= self.max_unsent;
        if !all_follow || !Batch::takes(message) {
            return self.send_to(message, |_, _| true);
        }
        self.push(message);
        n_members
    }

    /// Gives how many of the members that are meant took the message.
    fn send_to(self: &Rc<Self>, message: &PreparedMessage, is_meant: impl Fn(usize, &WebSocket) -> bool) -> usize {
        let is_pushed = Batch::takes(message);
        let nth_pass = self.n_passes.get().wrapping_add(is_pushed.into());
        self.n_passes.set(nth_pass);
        let (mut n_taken, mut gone) = (0, Vec::new());
        for (key, member) in self.members.borrow().iter() {
            let session = member.session();
            let n_unsent = session.n_unsent();
            let is_meant = is_meant(key, member);
            if is_meant && n_unsent <= self.max_unsent {
                let sent = if is_pushed {
                    session.send_in_batch(message, &self.batch, n_unsent, nth_pass)
                } else {
                    session.send_prepared(message)
                };
                match sent {
                    Ok(()) => n_taken += 1,
                    Err(_) => gone.push((key, member.clone())),
                }
                continue;
            }
            if is_pushed {
                // Else it would get it.
                session.unfollow();
            }
            if is_meant && self.slow == Slow::Disconnect {
                gone.push((key, member.clone()));
            }
        }
        if is_pushed {
            self.push(message);
        }
        self.dismiss(&gone);
        n_taken
    }

    /// Sends a message to all that follow: in the next turn, or now if there is much to send.
    fn push(self: &Rc<Self>, message: &PreparedMessage) {
        if self.batch.n_followers() == 0 {
            return;
        }
        let was_empty = self.batch.len() == 0;
        self.batch.push(message.frame());
        if self.batch.len() >= MAX_OUTBOX {
            self.flush();
        } else if was_empty {
            self.flush_soon();
        }
    }

    fn flush_soon(self: &Rc<Self>) {
        let members = self.members.borrow();
        if let Some(hub) = members.iter().find_map(|(_, member)| member.session().hub()) {
            let room = Rc::downgrade(self);
            hub.loop_().call_soon(move || {
                if let Some(room) = room.upgrade() {
                    room.flush();
                }
            });
        }
    }

    /// Writes what was pushed.
    fn flush(self: &Rc<Self>) {
        if self.batch.len() == 0 {
            return;
        }
        // Copied, because who handles a transport's failure may do anything, as join, leave or send.
        let sessions: Vec<_> = self.members.borrow().iter().map(|(_, member)| member.session().rc()).collect();
        self.batch.write_with(|| {
            let flush = |session: &Rc<Session>| {
                session.flush_now();
                session.n_buffered()
            };
            sessions.iter().map(flush).max().unwrap_or(0)
        });
        if self.batch.len() > 0 {
            self.flush_soon();
        }
    }

    fn dismiss(&self, gone: &[(usize, WebSocket)]) {
        for (key, member) in gone {
            if self.remove(*key, member) {
                // Of one that has ended nothing is left to close.
                let _ = member.session().close(CloseFrame::new(CloseCode::POLICY_VIOLATION, "too slow"));
            }
        }
    }

    /// Takes a member out, whose place may be another's by now.
    fn remove(&self, key: usize, member: &WebSocket) -> bool {
        let mut members = self.members.borrow_mut();
        let is_there = members.get(key) == Some(member);
        if is_there {
            member.session().unfollow();
        }
        let removed = is_there.then(|| members.remove(key));
        drop(members);
        drop(removed);
        is_there
    }
}

impl Broadcast {
    /// One without members, which skips the slow.
    pub fn new() -> Self {
        Broadcast::default()
    }

    /// One with another policy: what becomes of a member that leaves more than `max_unsent` bytes untaken.
    pub fn with_policy(slow: Slow, max_unsent: usize) -> Self {
        Broadcast { room: Rc::new(Room::new(slow, max_unsent)) }
    }

    /// Takes a WebSocket in, which is accepted if it is not yet.
    ///
    /// # Errors
    ///
    /// [`WebSocketError::Closed`](crate::websocket::WebSocketError::Closed) for one that has ended.
    pub fn join(&self, websocket: &WebSocket) -> Result<Membership, crate::websocket::WebSocketError> {
        websocket.accept()?;
        websocket.session().check_open()?;
        let key = self.room.members.borrow_mut().insert(websocket.clone());
        Ok(Membership { broadcast: self.clone(), websocket: websocket.clone(), key })
    }

    /// Sends a message to every member, and gives how many took it.
    pub fn send(&self, message: impl Into<Message>) -> usize {
        self.room.send(&PreparedMessage::new(&message.into()))
    }

    /// Sends a message to the members that `is_meant` says, as all but the one who sent it, and gives how many took it.
    pub fn send_where(&self, message: impl Into<Message>, is_meant: impl Fn(&WebSocket) -> bool) -> usize {
        let message = PreparedMessage::new(&message.into());
        // Copied, because who is asked may do anything, as join or leave.
        let members: Vec<_> = self.room.members.borrow().iter().map(|(key, member)| (key, member.clone())).collect();
        let meant: Vec<_> = members.into_iter().filter(|(_, member)| is_meant(member)).collect();
        self.room.send_to(&message, |key, member| {
            let nth = meant.binary_search_by_key(&key, |(key, _)| *key);
            nth.is_ok_and(|nth| meant[nth].1 == *member)
        })
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.room.members.borrow().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.room.members.borrow().is_empty()
    }
}

impl fmt::Debug for Broadcast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Broadcast").field("n_members", &self.len()).finish_non_exhaustive()
    }
}

/// A place among the members of a [`Broadcast`], given up when it is dropped.
#[must_use = "dropped, the WebSocket leaves the broadcast"]
#[derive(Debug)]
pub struct Membership {
    broadcast: Broadcast,
    websocket: WebSocket,
    key: usize,
}

impl Drop for Membership {
    fn drop(&mut self) {
        self.broadcast.room.remove(self.key, &self.websocket);
    }
}
