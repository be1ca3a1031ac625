//! The sockets below the socket module, as it sees them.
//!
//! A socket's buffers lie in the processor's memory, and are told as [`Spans`] of it: the DMA channel reads and writes them directly.
//! What a span covers stays as it is until it is consumed or committed, or until the socket is closed or aborted; the module does
//! neither before the last copy from or to it has ended.
//!
//! Nothing here waits. What changes later is told by [`Transport::changed`].

use core::net::{IpAddr, SocketAddr};

use abi::socket::{Family, Opt, Protocol, Status};

/// A socket of the transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Socket(pub u32);

/// Bytes of the processor's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The first one's address.
    pub address: u32,
    /// How many.
    pub length: u32,
}

/// Bytes in their order, in two pieces: a ring may end between them. Either may be empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spans(pub [Span; 2]);

impl Spans {
    /// Bytes of both.
    pub fn length(&self) -> u32 {
        self.0.iter().fold(0, |sum, span| sum.saturating_add(span.length))
    }
}

/// How a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Neither connected nor on the way to it; also every datagram socket.
    Idle,
    /// A connection is on its way.
    Connecting,
    /// It has another end, also when one or both directions have ended in good order.
    Connected,
    /// The connection failed or was refused, reset, or given up.
    Over(Status),
}

/// A connection that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its socket.
    pub socket: Socket,
    /// This end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
}

/// A datagram that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Its bytes.
    pub bytes: Spans,
    /// Who sent it.
    pub remote: SocketAddr,
}

/// See the module's page. Errors are the status that the host is told.
pub trait Transport {
    /// Makes a socket.
    ///
    /// # Errors
    /// There is no room for it.
    fn open(&mut self, protocol: Protocol, family: Family) -> Result<Socket, Status>;

    /// Gives it its own address, and says which one it is: a port for 0.
    ///
    /// # Errors
    /// The address is taken, or not this card's.
    fn bind(&mut self, socket: Socket, local: SocketAddr) -> Result<SocketAddr, Status>;

    /// Waits for connections, of which so many may wait to be accepted.
    ///
    /// # Errors
    /// It cannot.
    fn listen(&mut self, socket: Socket, backlog: u16) -> Result<(), Status>;

    /// The next connection of a listening socket.
    fn accept(&mut self, socket: Socket) -> Option<Accepted>;

    /// How many connections wait to be accepted.
    fn waiting(&self, socket: Socket) -> u32;

    /// Starts to connect a stream; [`condition`](Self::condition) says how it goes.
    ///
    /// # Errors
    /// It cannot be started.
    fn connect(&mut self, socket: Socket, remote: SocketAddr) -> Result<(), Status>;

    /// How it is.
    fn condition(&self, socket: Socket) -> Condition;

    /// This end, if it has an address.
    fn local(&self, socket: Socket) -> Option<SocketAddr>;

    /// The other end, if there is one.
    fn remote(&self, socket: Socket) -> Option<SocketAddr>;

    /// What a stream has received, behind its first `skip` bytes.
    fn readable(&self, socket: Socket, skip: u32) -> Spans;

    /// Drops the first bytes that a stream has received.
    fn consume(&mut self, socket: Socket, bytes: u32);

    /// The other end sends no more, and all that it sent is consumed.
    fn at_end(&self, socket: Socket) -> bool;

    /// Where bytes to be sent by a stream are to be put, behind `skip` bytes that are not committed.
    fn writable(&self, socket: Socket, skip: u32) -> Spans;

    /// The first so many bytes of what is writable are there: send them.
    fn commit(&mut self, socket: Socket, bytes: u32);

    /// No more will be sent.
    fn shut_down(&mut self, socket: Socket);

    /// Datagram number `index` of those that were received.
    fn datagram(&self, socket: Socket, index: usize) -> Option<Datagram>;

    /// Drops the oldest datagram.
    fn drop_datagram(&mut self, socket: Socket);

    /// A place for a datagram behind those reserved before.
    ///
    /// # Errors
    /// It can never be sent; `Ok(None)`: there is no room now.
    fn reserve(&mut self, socket: Socket, length: u32) -> Result<Option<Spans>, Status>;

    /// Sends the datagram that was reserved first.
    ///
    /// # Errors
    /// It is not sent, and its place is free again.
    fn send(&mut self, socket: Socket, remote: SocketAddr) -> Result<(), Status>;

    /// Gives up the datagram that was reserved first.
    fn release(&mut self, socket: Socket);

    /// Sets an option.
    ///
    /// # Errors
    /// The socket does not have it, or not with this value.
    fn set_option(&mut self, socket: Socket, option: Opt, value: u32) -> Result<(), Status>;

    /// Reads an option.
    ///
    /// # Errors
    /// The socket does not have it.
    fn option(&self, socket: Socket, option: Opt) -> Result<u32, Status>;

    /// Joins or leaves a multicast group.
    ///
    /// # Errors
    /// It cannot.
    fn membership(&mut self, socket: Socket, group: IpAddr, join: bool) -> Result<(), Status>;

    /// Ends a socket in good order. What was committed is sent; the module does not name the socket again.
    fn close(&mut self, socket: Socket);

    /// Ends a socket at once, its connection with a reset. The module does not name it again.
    fn abort(&mut self, socket: Socket);

    /// A socket to which something happened since it was named last: bytes or room came, its condition changed. More may be named
    /// than that.
    fn changed(&mut self) -> Option<Socket>;
}
