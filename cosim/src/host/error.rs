//! Errors of sockets: a status of the card, as `std::io` names it.

use std::io::{Error, ErrorKind};

use abi::socket::Status;

/// What a processor said to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the card answers {status:?}")]
pub struct SocketError {
    /// Why it was not done.
    pub status: Status,
}

/// The error of a status that is not [`Status::Ok`].
pub fn io(status: Status) -> Error {
    let kind = match status {
        Status::AddressInUse => ErrorKind::AddrInUse,
        Status::NoAddress => ErrorKind::AddrNotAvailable,
        Status::Refused => ErrorKind::ConnectionRefused,
        Status::Reset => ErrorKind::ConnectionReset,
        Status::TimedOut => ErrorKind::TimedOut,
        Status::Unreachable => ErrorKind::HostUnreachable,
        Status::NotConnected => ErrorKind::NotConnected,
        Status::ShutDown => ErrorKind::BrokenPipe,
        Status::Closed | Status::Cancelled => ErrorKind::ConnectionAborted,
        Status::NoRoom | Status::NoCredit => ErrorKind::OutOfMemory,
        Status::TooLong => ErrorKind::InvalidInput,
        Status::Unsupported | Status::UnknownFunction => ErrorKind::Unsupported,
        _ => ErrorKind::Other,
    };
    Error::new(kind, SocketError { status })
}

/// The status of an error that [`io`] made.
pub fn status(error: &Error) -> Option<Status> {
    error.get_ref()?.downcast_ref::<SocketError>().map(|error| error.status)
}

/// The host has no room for another session or buffer.
pub fn no_room() -> Error {
    io(Status::NoRoom)
}

/// It did not happen in time.
pub fn timed_out() -> Error {
    ErrorKind::TimedOut.into()
}
