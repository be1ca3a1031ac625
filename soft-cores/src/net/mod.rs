//! From the Ethernet frame to the socket.
//!
//! | module | does |
//! |---|---|
//! | [`stack`] | one processor's network stack: everything below, put together |
//! | [`parcel`] | what processors send each other |
//! | [`port`] | one processor's view of the network: what is below the transport, put together |
//! | [`ethernet`] | frames and their VLAN tags, apart and together |
//! | [`addresses`] | which addresses are this card's |
//! | [`ip`] | IPv4 and IPv6 input: checks, options, extension headers, is it ours |
//! | [`reassembly`] | fragments to datagrams, in bounded memory |
//! | [`icmp`] | echo, errors received, errors to send |
//! | [`multicast`] | IGMP and MLD: the groups this card is in |
//! | [`neighbour`] | ARP and neighbour discovery: the cache, who answers, duplicate addresses |
//! | [`route`] | next hop |
//! | [`outgoing`] | packets that the net kernel itself sends |
//! | [`session`], [`steering`], [`directory`] | the transport decision: whose a segment is, who is to take a datagram |
//! | [`transport`] | TCP and UDP: sockets, listeners, limits |
//! | [`tally`] | counters by cause |
//! | [`random`] | the seeded generator that delays are drawn from |

pub mod addresses;
pub mod directory;
pub mod ethernet;
pub mod icmp;
pub mod ip;
pub mod multicast;
pub mod neighbour;
pub mod outgoing;
pub mod parcel;
pub mod port;
pub mod random;
pub mod reassembly;
pub mod route;
pub mod session;
#[cfg(test)]
mod specimens;
pub mod stack;
pub mod steering;
pub mod tally;
pub mod transport;

/// A point in time or a duration, in microseconds.
pub type Micros = u64;

/// One second.
pub const SECOND: Micros = 1_000_000;
