//! Addresses that the card wants and does not have yet (RFC 4862, 5.4).
//!
//! The address is the whole card's: every processor waits, and hears objections, which are flooded; one of them asks.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::Ipv6Addr;

use super::cache::RETRANSMIT;
use crate::net::Micros;

/// Addresses that are tried at a time.
pub const MAX_TENTATIVE: usize = 8;

/// What time has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Ask whether anybody has it.
    Probe(Ipv6Addr),
    /// Nobody has.
    Unique(Ipv6Addr),
}

#[derive(Clone, Copy, Debug)]
struct Trial {
    asked: bool,
    at: Micros,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Tentative(BTreeMap<Ipv6Addr, Trial>);

impl Tentative {
    /// Begins to try an address at `at`. Says whether there is room for it.
    pub fn begin(&mut self, at: Micros, address: Ipv6Addr) -> bool {
        let has_room = self.0.len() < MAX_TENTATIVE || self.0.contains_key(&address);
        if has_room {
            self.0.insert(address, Trial { asked: false, at });
        }
        has_room
    }

    /// Somebody else has or wants the address. Says whether it was one of these; then it is no more.
    pub fn collide(&mut self, address: Ipv6Addr) -> bool {
        self.0.remove(&address).is_some()
    }

    /// Asks once (DupAddrDetectTransmits is 1), and has the address if nobody objects for RETRANS_TIMER.
    pub fn poll(&mut self, now: Micros) -> Vec<Due> {
        let mut due = Vec::new();
        self.0.retain(|&address, trial| {
            if trial.at > now {
                return true;
            }
            due.push(if trial.asked { Due::Unique(address) } else { Due::Probe(address) });
            let stays = !trial.asked;
            *trial = Trial { asked: true, at: now + RETRANSMIT };
            stays
        });
        due
    }

    pub fn next_deadline(&self) -> Option<Micros> {
        self.0.values().map(|trial| trial.at).min()
    }
}
