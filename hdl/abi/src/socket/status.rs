//! How a request ended: `DetailedStatusCode` of its reply.

/// See the module's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Status {
    /// It is done.
    Ok = 0,
    /// The message is not what its header or its function says.
    Malformed = 1,
    /// There is no such function.
    UnknownFunction = 2,
    /// The target or the tag names another processor.
    WrongProcessor = 3,
    /// There is no session with this tag.
    NoSession = 4,
    /// There is one already.
    TagInUse = 5,
    /// More requests are under way than the session has credits.
    NoCredit = 6,
    /// The processor has no room for another session or socket.
    NoRoom = 7,
    /// This kind of socket cannot do that.
    Unsupported = 8,
    /// The socket is not in a state for that.
    WrongState = 9,
    /// Somebody else has the address.
    AddressInUse = 10,
    /// The card does not have the address, or it is no address to connect to.
    NoAddress = 11,
    /// Nobody listens there.
    Refused = 12,
    /// The other end has reset the connection.
    Reset = 13,
    /// The other end does not answer.
    TimedOut = 14,
    /// There is no way to the other end.
    Unreachable = 15,
    /// There is no other end.
    NotConnected = 16,
    /// Sending was shut down.
    ShutDown = 17,
    /// The datagram is longer than any may be.
    TooLong = 18,
    /// The host's buffers could not be read or written.
    Copy = 19,
    /// The host cancelled it.
    Cancelled = 20,
    /// The session was closed meanwhile.
    Closed = 21,
}

impl Status {
    /// All of them, in the order of their numbers.
    pub const ALL: [Status; 22] = [
        Status::Ok,
        Status::Malformed,
        Status::UnknownFunction,
        Status::WrongProcessor,
        Status::NoSession,
        Status::TagInUse,
        Status::NoCredit,
        Status::NoRoom,
        Status::Unsupported,
        Status::WrongState,
        Status::AddressInUse,
        Status::NoAddress,
        Status::Refused,
        Status::Reset,
        Status::TimedOut,
        Status::Unreachable,
        Status::NotConnected,
        Status::ShutDown,
        Status::TooLong,
        Status::Copy,
        Status::Cancelled,
        Status::Closed,
    ];

    /// The status of a number; `None` if there is none.
    pub fn of(number: u16) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// I2O's `ReqStatus` for it, when so many bytes were moved: success, aborted or error, and whether something was done before.
    pub const fn request_status(self, bytes: u32) -> u8 {
        match (self, bytes) {
            (Status::Ok, _) => 0x00,
            (Status::Cancelled | Status::Closed, 0) => 0x02,
            (Status::Cancelled | Status::Closed, _) => 0x03,
            (_, 0) => 0x05,
            (_, _) => 0x06,
        }
    }
}
