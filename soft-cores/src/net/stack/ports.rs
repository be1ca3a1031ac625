//! The local port of a session that is opened from here.
//!
//! All processors have the same addresses, so no two may take the same port towards the same peer. A port whose replies come
//! here cannot be another processor's choice, because all have one table. Where the hash does not read the port, or no such port
//! is free, a processor takes one of those that are its own by number, and the directory brings the replies.

use core::net::IpAddr;
use core::ops::RangeInclusive;

use super::Stack;
use crate::net::session::{End, Session};
use crate::net::transport::OpenError;

/// RFC 6335, 6: dynamic ports.
const EPHEMERAL: RangeInclusive<u16> = 49_152..=65_535;

/// Which port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalPort {
    /// This one.
    Given(u16),
    /// One whose replies the card gives to this processor.
    RepliesHere,
    /// Such a one if there is one, else any.
    Any,
}

impl Stack {
    /// The session from `address` to `remote` with a port that is free.
    pub(super) fn choose_port(
        &mut self,
        address: IpAddr,
        remote: End,
        choice: LocalPort,
    ) -> Result<Session, OpenError> {
        let with = |port| Session { local: End::new(address, port), remote };
        match choice {
            LocalPort::Given(port) if self.is_taken(&with(port)) => Err(OpenError::InUse),
            LocalPort::Given(port) => Ok(with(port)),
            LocalPort::RepliesHere => self.search_here(with).ok_or(OpenError::PortsExhausted),
            LocalPort::Any => {
                let found = self.search_here(with).or_else(|| self.search(with, Self::is_own_share));
                found.ok_or(OpenError::PortsExhausted)
            }
        }
    }

    fn search(&mut self, with: impl Fn(u16) -> Session, suits: fn(&Self, &Session) -> bool) -> Option<Session> {
        let (first, count) = (*EPHEMERAL.start(), EPHEMERAL.len() as u16);
        let start = self.cursor % count;
        let found = (0..count).find(|step| {
            let session = with(first + (start + step) % count);
            suits(self, &session) && !self.is_taken(&session)
        })?;
        self.cursor = (start + found + 1) % count;
        Some(with(first + (start + found) % count))
    }

    /// The first port whose replies come here. One look is enough where the port makes no difference.
    fn search_here(&mut self, with: impl Fn(u16) -> Session) -> Option<Session> {
        let can_be = self.directory.table().registers.reads_destination_port() || self.replies_here(&with(1));
        if can_be { self.search(with, Self::replies_here) } else { None }
    }

    fn replies_here(&self, session: &Session) -> bool {
        self.directory.table().target(session) == self.directory.me()
    }

    /// Every live processor has the ports of one remainder.
    fn is_own_share(&self, session: &Session) -> bool {
        let me = self.directory.me();
        let rank = self.directory.others().filter(|&other| other < me).count();
        let share = self.directory.others().count() + 1;
        usize::from(session.local.port) % share == rank
    }

    fn is_taken(&self, session: &Session) -> bool {
        self.transport.has_session(session) || self.directory.owner(session).is_some()
    }
}
