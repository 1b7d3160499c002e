//! Options of datagram sockets: broadcast, multicast, time to live.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::asyncio::extra_info::TransportSocket;

/// What a port does with `setsockopt` on a datagram socket. An interface of IPv6 is named by its index, 0 for the
/// system's choice; one of IPv4 by its address, `UNSPECIFIED` for the system's choice.
impl TransportSocket {
    /// Whether datagrams may be sent to a broadcast address.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.look(|socket| socket.broadcast())
    }

    /// Sets `SO_BROADCAST`.
    pub fn set_broadcast(&self, is_on: bool) -> io::Result<()> {
        self.look(|socket| socket.set_broadcast(is_on))
    }

    /// The size of the kernel's receive buffer in bytes; datagrams that do not fit into it are lost.
    pub fn recv_buffer_size(&self) -> io::Result<usize> {
        self.look(|socket| socket.recv_buffer_size())
    }

    /// Receives what is sent to a group: `IP_ADD_MEMBERSHIP`.
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.look(|socket| socket.join_multicast_v4(group, interface))
    }

    /// Receives no more of it: `IP_DROP_MEMBERSHIP`.
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.look(|socket| socket.leave_multicast_v4(group, interface))
    }

    /// Receives what is sent to a group: `IPV6_JOIN_GROUP`.
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.look(|socket| socket.join_multicast_v6(group, interface))
    }

    /// Receives no more of it: `IPV6_LEAVE_GROUP`.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.look(|socket| socket.leave_multicast_v6(group, interface))
    }

    /// The interface that datagrams to a group leave by: `IP_MULTICAST_IF`.
    pub fn set_multicast_if_v4(&self, interface: &Ipv4Addr) -> io::Result<()> {
        self.look(|socket| socket.set_multicast_if_v4(interface))
    }

    /// The interface that datagrams to a group leave by: `IPV6_MULTICAST_IF`.
    pub fn set_multicast_if_v6(&self, interface: u32) -> io::Result<()> {
        self.look(|socket| socket.set_multicast_if_v6(interface))
    }

    /// Whether this machine hears what it sends to a group; on unless changed.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.look(|socket| socket.multicast_loop_v4())
    }

    /// Sets `IP_MULTICAST_LOOP`.
    pub fn set_multicast_loop_v4(&self, is_on: bool) -> io::Result<()> {
        self.look(|socket| socket.set_multicast_loop_v4(is_on))
    }

    /// Whether this machine hears what it sends to a group; on unless changed.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.look(|socket| socket.multicast_loop_v6())
    }

    /// Sets `IPV6_MULTICAST_LOOP`.
    pub fn set_multicast_loop_v6(&self, is_on: bool) -> io::Result<()> {
        self.look(|socket| socket.set_multicast_loop_v6(is_on))
    }

    /// How many routers a datagram to a group may pass, and one: 1 unless changed.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.look(|socket| socket.multicast_ttl_v4())
    }

    /// Sets `IP_MULTICAST_TTL`.
    pub fn set_multicast_ttl_v4(&self, ttl: u32) -> io::Result<()> {
        self.look(|socket| socket.set_multicast_ttl_v4(ttl))
    }

    /// How many routers a datagram to a group may pass, and one: 1 unless changed.
    pub fn multicast_hops_v6(&self) -> io::Result<u32> {
        self.look(|socket| socket.multicast_hops_v6())
    }

    /// Sets `IPV6_MULTICAST_HOPS`.
    pub fn set_multicast_hops_v6(&self, hops: u32) -> io::Result<()> {
        self.look(|socket| socket.set_multicast_hops_v6(hops))
    }

    /// How many routers a datagram to a single host may pass, and one.
    pub fn ttl(&self) -> io::Result<u32> {
        self.look(|socket| socket.ttl_v4())
    }

    /// Sets `IP_TTL`.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.look(|socket| socket.set_ttl_v4(ttl))
    }

    /// How many routers a datagram to a single host may pass, and one.
    pub fn unicast_hops_v6(&self) -> io::Result<u32> {
        self.look(|socket| socket.unicast_hops_v6())
    }

    /// Sets `IPV6_UNICAST_HOPS`.
    pub fn set_unicast_hops_v6(&self, hops: u32) -> io::Result<()> {
        self.look(|socket| socket.set_unicast_hops_v6(hops))
    }
}
