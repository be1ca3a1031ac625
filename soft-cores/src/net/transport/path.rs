//! Path MTU discovery (RFC 1191, RFC 8201): how long packets to a destination may be.
//!
//! Values are rounded down to a step of [`STEPS`], so that there are few of them. A path that was found narrow is tried again
//! with the link's MTU after [`LIFETIME`]. When there is no room for another path the one that ends first is forgotten: a
//! router will say it again.

use alloc::collections::BTreeMap;
use core::net::IpAddr;

use crate::net::{Micros, SECOND};

/// Lengths that links have, with and without tunnels (after RFC 1191, 7.1).
pub const STEPS: [usize; 18] =
    [9000, 4352, 2002, 1500, 1492, 1480, 1472, 1460, 1450, 1440, 1420, 1400, 1380, 1340, 1300, 1280, 1006, 576];
/// What every IPv6 link takes (RFC 8200, 5).
pub const MIN_V6: usize = 1280;
/// Less than this is not believed (RFC 879; what Linux calls `min_pmtu` is near it).
pub const MIN_V4: usize = 576;
/// RFC 8201, 4: ten minutes.
pub const LIFETIME: Micros = 600 * SECOND;
/// Destinations that are remembered.
pub const MAX_PATHS: usize = 64;

/// What is known of paths.
#[derive(Clone, Debug)]
pub struct Paths {
    link: usize,
    narrow: BTreeMap<IpAddr, (usize, Micros)>,
}

impl Paths {
    /// Over a link that takes packets of this length.
    pub const fn new(link: usize) -> Self {
        Self { link, narrow: BTreeMap::new() }
    }

    /// The longest packet to a destination.
    pub fn mtu(&self, now: Micros, destination: IpAddr) -> usize {
        let known = self.narrow.get(&destination).filter(|(_, until)| *until > now);
        known.map_or(self.link, |&(mtu, _)| mtu)
    }

    /// A router says that packets to a destination may have `reported` bytes; 0 if it does not say. Says what they may have
    /// from now on if that is less than before.
    pub fn narrow(&mut self, now: Micros, destination: IpAddr, reported: u32) -> Option<usize> {
        let before = self.mtu(now, destination);
        let least = if destination.is_ipv4() { MIN_V4 } else { MIN_V6 };
        let below = match reported as usize {
            0 => before.saturating_sub(1),
            reported => reported,
        };
        let mtu = STEPS.into_iter().find(|&step| step <= below).unwrap_or(least).max(least);
        if mtu >= before {
            return None;
        }
        if self.narrow.len() >= MAX_PATHS && !self.narrow.contains_key(&destination) {
            let first = self.narrow.iter().min_by_key(|(_, (_, until))| *until).map(|(&destination, _)| destination);
            first.and_then(|first| self.narrow.remove(&first));
        }
        self.narrow.insert(destination, (mtu, now.saturating_add(LIFETIME)));
        Some(mtu)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::net::Ipv4Addr;

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn reports_are_rounded_down_and_only_narrow() {
        let mut paths = Paths::new(1500);
        assert_eq!(paths.mtu(0, V4), 1500);
        assert_eq!(paths.narrow(0, V4, 1500), None);
        assert_eq!(paths.narrow(0, V4, 1499), Some(1492));
        assert_eq!(paths.narrow(0, V4, 1495), None);
        assert_eq!(paths.narrow(0, V4, 9000), None);
        assert_eq!(paths.narrow(0, V4, 0), Some(1480));
        assert_eq!(paths.narrow(0, V4, 68), Some(576));
        assert_eq!(paths.narrow(0, V4, 0), None);
        assert_eq!((paths.mtu(LIFETIME - 1, V4), paths.mtu(LIFETIME, V4)), (576, 1500));
        let v6 = "2001:db8::1".parse().unwrap();
        assert_eq!(paths.narrow(0, v6, 600), Some(1280));
        assert_eq!(paths.mtu(0, v6), 1280);
    }

    #[test]
    fn paths_are_bounded_and_the_oldest_goes() {
        let mut paths = Paths::new(1500);
        for number in 0..=MAX_PATHS {
            paths.narrow(number as Micros, Ipv4Addr::from_bits(number as u32 + 1).into(), 1280);
        }
        assert_eq!(paths.narrow.len(), MAX_PATHS);
        assert_eq!(paths.mtu(100, Ipv4Addr::from_bits(1).into()), 1500);
        assert_eq!(paths.mtu(100, Ipv4Addr::from_bits(2).into()), 1280);
    }
}
