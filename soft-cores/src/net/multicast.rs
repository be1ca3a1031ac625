//! Which groups this card is in: IGMPv2 (RFC 2236) and MLDv2 (RFC 3810), and their older versions where an older
//! querier is heard.
//!
//! Every processor keeps the same groups, because any of them may receive their packets; the one where an application
//! joins [`join`](Memberships::join)s and the others [`mirror`](Memberships::mirror) it; where it leaves, one
//! [`leave`](Memberships::leave)s and the others [`forget`](Memberships::forget). A query goes, like every packet, to
//! one processor by its hash, and that one answers for the card. Reports of other hosts may reach another processor
//! than the query did; then one report more is sent than needed, which harms nobody.
//!
//! IGMPv3 queries are understood and answered by IGMPv2 reports, as a host in RFC 3376's version 2 mode does (7.2.1):
//! this card wants all sources of a group, and has nothing more to say. A leave is sent once; if it is lost, a querier
//! finds out by itself.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::addresses::{ALL_NODES, Addresses};
use super::outgoing::Outgoing;
use super::random::Random;
use super::{Micros, SECOND};

mod message;
#[cfg(test)]
mod tests;

pub use message::Cause;
use message::{Heard, Version};

/// Every host of the link (RFC 1112, 4).
const ALL_SYSTEMS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
/// When an IGMP report is repeated at the latest (RFC 2236, 8.10).
const IGMP_UNSOLICITED_INTERVAL: Micros = 10 * SECOND;
/// When an MLD report is repeated at the latest (RFC 3810, 9.11).
const MLD_UNSOLICITED_INTERVAL: Micros = SECOND;
/// How long an IGMPv1 querier is believed to be there (RFC 2236, 8.11).
const IGMP_V1_PRESENT: Micros = 400 * SECOND;
/// How long an MLDv1 querier is: 2 × 125 s between queries and 10 s to answer (RFC 3810, 9.12).
const MLD_V1_PRESENT: Micros = 260 * SECOND;

/// More groups than are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooManyGroups;

#[derive(Clone, Copy, Debug, Default)]
struct Group {
    /// How many joined.
    users: u32,
    /// When a report is due.
    report_at: Option<Micros>,
    /// That report repeats the news of the join; otherwise it answers a query.
    is_news: bool,
    /// This processor sent the last report of the group that it knows of.
    last_reporter: bool,
}

/// The groups, and the reports that are due.
#[derive(Clone, Debug)]
pub struct Memberships {
    groups: BTreeMap<IpAddr, Group>,
    most: usize,
    random: Random,
    igmp_v1_until: Micros,
    mld_v1_until: Micros,
}

impl Memberships {
    /// In no group but those that every host is in; at most `most` others.
    pub const fn new(most: usize, random: Random) -> Self {
        Self { groups: BTreeMap::new(), most, random, igmp_v1_until: 0, mld_v1_until: 0 }
    }

    /// Packets to the group are for this host.
    pub fn is_member(&self, group: IpAddr) -> bool {
        group == IpAddr::V4(ALL_SYSTEMS) || group == IpAddr::V6(ALL_NODES) || self.groups.contains_key(&group)
    }

    /// The groups that were joined, in their order.
    pub fn groups(&self) -> impl Iterator<Item = IpAddr> + '_ {
        self.groups.keys().copied()
    }

    /// Joins a group. If it is new it is reported now, and once more soon (RFC 2236, 3; RFC 3810, 6.1).
    ///
    /// # Errors
    /// There are too many already.
    pub fn join(
        &mut self,
        now: Micros,
        group: IpAddr,
        addresses: &Addresses,
    ) -> Result<Option<Outgoing>, TooManyGroups> {
        let is_new = !self.groups.contains_key(&group);
        self.mirror(group)?;
        Ok(if is_new { self.announce(now, group, addresses) } else { None })
    }

    /// Reports a group that this host is in as if it had just been joined.
    pub fn announce(&mut self, now: Micros, group: IpAddr, addresses: &Addresses) -> Option<Outgoing> {
        let version = self.version(now, group);
        let latest = match group {
            IpAddr::V4(_) => IGMP_UNSOLICITED_INTERVAL,
            IpAddr::V6(_) => MLD_UNSOLICITED_INTERVAL,
        };
        let repeat_at = now + self.random.within(latest);
        let state = self.groups.get_mut(&group).filter(|_| is_reported(group))?;
        *state = Group { users: state.users, report_at: Some(repeat_at), is_news: true, last_reporter: true };
        Some(message::joined(version, group, addresses))
    }

    /// Joins a group that another processor reports.
    ///
    /// # Errors
    /// There are too many already.
    pub fn mirror(&mut self, group: IpAddr) -> Result<(), TooManyGroups> {
        if !group.is_multicast() || !self.groups.contains_key(&group) && self.groups.len() >= self.most {
            return Err(TooManyGroups);
        }
        let state = self.groups.entry(group).or_default();
        state.users = state.users.saturating_add(1);
        Ok(())
    }

    /// Leaves a group. The last to leave says so, if its report was the last one heard (RFC 2236, 3; RFC 2710, 4).
    pub fn leave(&mut self, now: Micros, group: IpAddr, addresses: &Addresses) -> Option<Outgoing> {
        let state = self.take_user(group)?;
        let version = self.version(now, group);
        let speaks = is_reported(group) && (state.last_reporter || version == Version::MldV2);
        if speaks { message::left(version, group, addresses) } else { None }
    }

    /// Leaves a group of which another processor says so, if anybody does.
    pub fn forget(&mut self, group: IpAddr) {
        self.take_user(group);
    }

    /// The group, if that was its last user.
    fn take_user(&mut self, group: IpAddr) -> Option<Group> {
        let state = self.groups.get_mut(&group)?;
        state.users = state.users.saturating_sub(1);
        if state.users > 0 { None } else { self.groups.remove(&group) }
    }

    /// Takes an IGMP message: the payload of an IPv4 packet that is for this host.
    ///
    /// # Errors
    /// It is not for hosts, or not what it should be.
    pub fn receive_igmp(&mut self, now: Micros, message: &[u8]) -> Result<(), Cause> {
        self.hear(now, message::parse_igmp(message)?);
        Ok(())
    }

    /// Takes an MLD message, of which the ICMPv6 checksum was found good.
    ///
    /// # Errors
    /// It is not for hosts, or not what it should be.
    pub fn receive_mld(&mut self, now: Micros, envelope: &Envelope, message: &[u8]) -> Result<(), Cause> {
        self.hear(now, message::parse_mld(envelope, message)?);
        Ok(())
    }

    fn hear(&mut self, now: Micros, heard: Heard) {
        match heard {
            Heard::Query { version, group, most } => {
                match version {
                    Version::IgmpV1 => self.igmp_v1_until = now + IGMP_V1_PRESENT,
                    Version::MldV1 => self.mld_v1_until = now + MLD_V1_PRESENT,
                    Version::IgmpV2 | Version::MldV2 => {}
                }
                self.schedule(now, group, most);
            }
            Heard::Report { group } => {
                if let Some(state) = self.groups.get_mut(&group) {
                    // RFC 2236, 3; RFC 2710, 4: somebody else has said it.
                    *state = Group { report_at: None, is_news: false, last_reporter: false, ..*state };
                }
            }
        }
    }

    /// Draws a delay for each group that was asked for, unless its report is due soon enough anyway.
    fn schedule(&mut self, now: Micros, asked: IpAddr, most: Micros) {
        for (&group, state) in &mut self.groups {
            let is_asked = group == asked || asked.is_unspecified() && asked.is_ipv4() == group.is_ipv4();
            let soon = state.report_at.is_some_and(|at| at <= now + most);
            if is_asked && is_reported(group) && !soon {
                state.report_at = Some(now + self.random.within(most));
            }
        }
    }

    /// The reports that are due.
    pub fn poll(&mut self, now: Micros, addresses: &Addresses) -> Vec<Outgoing> {
        let versions = [self.version(now, IpAddr::V4(ALL_SYSTEMS)), self.version(now, IpAddr::V6(ALL_NODES))];
        let mut reports = Vec::new();
        for (&group, state) in &mut self.groups {
            if state.report_at.is_none_or(|at| at > now) {
                continue;
            }
            let version = versions[usize::from(group.is_ipv6())];
            let report = if state.is_news { message::joined } else { message::present };
            reports.push(report(version, group, addresses));
            *state = Group { report_at: None, is_news: false, last_reporter: true, ..*state };
        }
        reports
    }

    /// When [`poll`](Self::poll) has something to do next.
    pub fn next_deadline(&self) -> Option<Micros> {
        self.groups.values().filter_map(|state| state.report_at).min()
    }

    fn version(&self, now: Micros, group: IpAddr) -> Version {
        match group {
            IpAddr::V4(_) if now < self.igmp_v1_until => Version::IgmpV1,
            IpAddr::V4(_) => Version::IgmpV2,
            IpAddr::V6(_) if now < self.mld_v1_until => Version::MldV1,
            IpAddr::V6(_) => Version::MldV2,
        }
    }
}

/// What MLD wants to know of the packet around its message (RFC 3810, 5.1.14, 5.2.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Who sent it.
    pub source: Ipv6Addr,
    /// Its hop limit.
    pub hop_limit: u8,
    /// It has the router alert option.
    pub router_alert: bool,
}

/// RFC 2236, 6: nobody reports the group of all systems. RFC 3810, 6: nor all nodes, nor what stays within an
/// interface.
fn is_reported(group: IpAddr) -> bool {
    match group {
        IpAddr::V4(group) => group != ALL_SYSTEMS,
        IpAddr::V6(group) => group != ALL_NODES && group.octets()[1] & 0x0f > 1,
    }
}
