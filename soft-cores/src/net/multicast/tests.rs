use alloc::vec::Vec;

use super::*;
use crate::net::specimens::{CARD_LOCAL, PEER_LOCAL, addresses, below, icmp, icmp_6, internet_checksum, seeded};

const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 251));
const GROUP_6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(239, 1, 2, 3));

fn fresh() -> Memberships {
    Memberships::new(4, Random::new(42))
}

/// In one group, its unsolicited reports over.
fn settled(group: IpAddr) -> Memberships {
    let mut groups = fresh();
    groups.join(0, group, &addresses()).unwrap();
    assert_eq!(groups.poll(10 * SECOND, &addresses()).len(), 1);
    assert_eq!(groups.next_deadline(), None);
    groups
}

fn igmp(kind: u8, code: u8, group: [u8; 4]) -> Vec<u8> {
    icmp([&[kind, code, 0, 0][..], &group].concat())
}

fn mld(kind: u8, code: u16, group: Ipv6Addr, rest: &[u8]) -> Vec<u8> {
    let mut message = alloc::vec![kind, 0, 0, 0];
    message.extend_from_slice(&code.to_be_bytes());
    message.extend_from_slice(&[0, 0]);
    message.extend_from_slice(&group.octets());
    message.extend_from_slice(rest);
    icmp_6(PEER_LOCAL, GROUP_6, message)
}

const FROM_PEER: Envelope = Envelope { source: PEER_LOCAL, hop_limit: 1, router_alert: true };

#[test]
fn a_join_is_reported_at_once_and_once_more() {
    let mut groups = fresh();
    let report = groups.join(5, GROUP, &addresses()).unwrap().unwrap();
    // RFC 2236, 2: type 0x16, no time, checksum, group. 1600 + e000 + 00fb = f6fb.
    assert_eq!(report.payload, [0x16, 0, 0x09, 0x04, 224, 0, 0, 251]);
    assert_eq!((report.path.destination(), report.hop_limit, report.router_alert), (GROUP, 1, true));
    let again_at = groups.next_deadline().unwrap();
    assert!(again_at <= 5 + IGMP_UNSOLICITED_INTERVAL);
    assert_eq!(groups.poll(again_at - 1, &addresses()), []);
    assert_eq!(groups.poll(again_at, &addresses()), [report]);
    assert_eq!((groups.next_deadline(), groups.is_member(GROUP)), (None, true));
}

#[test]
fn the_last_to_leave_says_so() {
    let mut groups = fresh();
    assert!(groups.join(0, GROUP, &addresses()).unwrap().is_some());
    assert!(groups.join(0, GROUP, &addresses()).unwrap().is_none());
    assert_eq!(groups.leave(0, GROUP, &addresses()), None);
    assert!(groups.is_member(GROUP));
    let leave = groups.leave(0, GROUP, &addresses()).unwrap();
    assert_eq!(
        leave.payload,
        [&[0x17, 0][..], &internet_checksum(&[&[0x17, 0, 224, 0, 0, 251]]), &[224, 0, 0, 251]].concat()
    );
    assert_eq!(leave.path.destination(), IpAddr::V4(Ipv4Addr::new(224, 0, 0, 2)));
    assert!(!groups.is_member(GROUP));
    assert_eq!((groups.leave(0, GROUP, &addresses()), groups.next_deadline()), (None, None));
}

#[test]
fn a_mirrored_group_is_joined_silently() {
    let mut groups = fresh();
    groups.mirror(GROUP).unwrap();
    assert!(groups.is_member(GROUP));
    assert_eq!((groups.next_deadline(), groups.leave(0, GROUP, &addresses())), (None, None));
    groups.mirror(GROUP).unwrap();
    groups.mirror(GROUP).unwrap();
    groups.forget(GROUP);
    assert!(groups.is_member(GROUP));
    groups.forget(GROUP);
    assert!(!groups.is_member(GROUP));
}

#[test]
fn groups_are_bounded_and_are_groups() {
    let mut groups = fresh();
    for low in 1..=4 {
        groups.mirror(Ipv4Addr::new(239, 0, 0, low).into()).unwrap();
    }
    assert_eq!(groups.join(0, GROUP, &addresses()), Err(TooManyGroups));
    assert_eq!(groups.groups().count(), 4);
    groups.mirror(Ipv4Addr::new(239, 0, 0, 4).into()).unwrap();
    assert_eq!(fresh().mirror(Ipv4Addr::new(10, 0, 0, 1).into()), Err(TooManyGroups));
}

#[test]
fn a_general_query_is_answered_within_its_time() {
    let mut rng = seeded(2236);
    let mut delays = Vec::new();
    for _ in 0..200 {
        let mut groups = Memberships::new(4, Random::new(below(&mut rng, 1 << 30) as u64));
        groups.mirror(GROUP).unwrap();
        groups.mirror(OTHER).unwrap();
        groups.receive_igmp(SECOND, &igmp(0x11, 20, [0; 4])).unwrap();
        for state in groups.groups.values() {
            delays.push(state.report_at.unwrap() - SECOND);
        }
        assert_eq!(groups.poll(3 * SECOND, &addresses()).len(), 2);
    }
    assert_eq!(delays.len(), 400);
    assert!(delays.iter().all(|&delay| delay <= 2 * SECOND));
    assert!(delays.iter().any(|&delay| delay > 3 * SECOND / 2) && delays.iter().any(|&delay| delay < SECOND / 2));
}

#[test]
fn a_query_for_a_group_leaves_the_others_alone() {
    let mut groups = settled(GROUP);
    groups.mirror(OTHER).unwrap();
    groups.receive_igmp(20 * SECOND, &igmp(0x11, 10, [239, 1, 2, 3])).unwrap();
    let reports = groups.poll(30 * SECOND, &addresses());
    assert_eq!(reports.iter().map(|report| report.path.destination()).collect::<Vec<_>>(), [OTHER]);
}

#[test]
fn a_report_that_is_due_soon_is_not_put_off() {
    let mut groups = settled(GROUP);
    groups.receive_igmp(20 * SECOND, &igmp(0x11, 1, [0; 4])).unwrap();
    let due = groups.next_deadline().unwrap();
    groups.receive_igmp(20 * SECOND, &igmp(0x11, 255, [0; 4])).unwrap();
    assert_eq!(groups.next_deadline(), Some(due));
    assert!(due <= 20 * SECOND + SECOND / 10);
}

#[test]
fn a_report_that_is_due_late_is_brought_forward() {
    let mut rng = seeded(20);
    for _ in 0..20 {
        let mut groups = Memberships::new(4, Random::new(below(&mut rng, 1 << 30) as u64));
        groups.mirror(GROUP).unwrap();
        groups.receive_igmp(0, &igmp(0x11, 127, [0; 4])).unwrap();
        groups.receive_igmp(0, &igmp(0x11, 1, [0; 4])).unwrap();
        assert!(groups.next_deadline().unwrap() <= SECOND / 10);
    }
}

#[test]
fn another_hosts_report_makes_ours_unnecessary_and_the_leave_too() {
    let mut groups = settled(GROUP);
    groups.receive_igmp(20 * SECOND, &igmp(0x11, 100, [0; 4])).unwrap();
    assert!(groups.next_deadline().is_some());
    groups.receive_igmp(20 * SECOND, &igmp(0x16, 0, [224, 0, 0, 251])).unwrap();
    assert_eq!(groups.next_deadline(), None);
    assert_eq!(groups.leave(21 * SECOND, GROUP, &addresses()), None);
}

#[test]
fn an_older_querier_is_spoken_to_in_its_version() {
    let mut groups = settled(GROUP);
    groups.receive_igmp(20 * SECOND, &igmp(0x11, 0, [0; 4])).unwrap();
    let reports = groups.poll(30 * SECOND, &addresses());
    assert_eq!(reports[0].payload[0], 0x12);
    assert_eq!(groups.leave(31 * SECOND, GROUP, &addresses()), None);
    assert_eq!(groups.join(419 * SECOND, GROUP, &addresses()).unwrap().unwrap().payload[0], 0x12);
    assert_eq!(groups.join(420 * SECOND, OTHER, &addresses()).unwrap().unwrap().payload[0], 0x16);
}

#[test]
fn an_igmpv3_query_is_understood() {
    let mut message = igmp(0x11, 0, [0; 4]);
    message.extend_from_slice(&[2, 125, 0, 0]);
    // 0x8f: exponent 0, mantissa 15: (15 | 16) << 3 = 248 tenths of a second.
    message[1] = 0x8f;
    let message = icmp(message);
    let expected = Heard::Query { version: Version::IgmpV2, group: Ipv4Addr::UNSPECIFIED.into(), most: 24_800_000 };
    assert_eq!(message::parse_igmp(&message), Ok(expected));
    assert_eq!(message::parse_igmp(&icmp(message[..10].to_vec())), Err(Cause::Length));
}

#[test]
fn igmp_messages_that_say_nothing_to_a_host_are_refused() {
    let refused = |message: &[u8]| fresh().receive_igmp(0, message).unwrap_err();
    assert_eq!(refused(&igmp(0x11, 1, [0; 4])[..7]), Cause::Length);
    assert_eq!(refused(&[0x11, 1, 0, 0, 0, 0, 0, 0]), Cause::Checksum);
    assert_eq!(refused(&igmp(0x11, 1, [10, 0, 0, 1])), Cause::Group);
    assert_eq!(refused(&igmp(0x16, 0, [0; 4])), Cause::Group);
    assert_eq!(refused(&igmp(0x17, 0, [224, 0, 0, 251])), Cause::NotForHosts);
    assert_eq!(refused(&igmp(0x22, 0, [0; 4])), Cause::NotForHosts);
}

#[test]
fn mldv2_reports_are_laid_out_as_rfc_3810_says() {
    let mut groups = fresh();
    let report = groups.join(0, GROUP_6.into(), &addresses()).unwrap().unwrap();
    let routers = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x16);
    let record = |kind: u8| {
        let head = [143, 0, 0, 0, 0, 0, 0, 1, kind, 0, 0, 0];
        icmp_6(CARD_LOCAL, routers, [&head[..], &GROUP_6.octets()].concat())
    };
    assert_eq!(report.payload, record(4), "change to exclude");
    assert_eq!(report.path, crate::net::outgoing::Path::V6 { source: CARD_LOCAL, destination: routers });
    assert!(groups.next_deadline().unwrap() <= MLD_UNSOLICITED_INTERVAL);
    assert_eq!(groups.poll(SECOND, &addresses())[0].payload, record(4));
    groups.receive_mld(5 * SECOND, &FROM_PEER, &mld(130, 1000, Ipv6Addr::UNSPECIFIED, &[2, 125, 0, 0])).unwrap();
    assert!(groups.next_deadline().unwrap() <= 6 * SECOND);
    assert_eq!(groups.poll(6 * SECOND, &addresses())[0].payload, record(2), "mode is exclude");
    assert_eq!(groups.leave(7 * SECOND, GROUP_6.into(), &addresses()).unwrap().payload, record(3), "change to include");
}

#[test]
fn mldv1_is_spoken_to_an_mldv1_querier() {
    let mut groups = settled(GROUP_6.into());
    groups.receive_mld(20 * SECOND, &FROM_PEER, &mld(130, 1000, Ipv6Addr::UNSPECIFIED, &[])).unwrap();
    let report = &groups.poll(21 * SECOND, &addresses())[0];
    let message = |kind, destination| {
        let head = [kind, 0, 0, 0, 0, 0, 0, 0];
        icmp_6(CARD_LOCAL, destination, [&head[..], &GROUP_6.octets()].concat())
    };
    assert_eq!((&report.payload, report.path.destination()), (&message(131, GROUP_6), GROUP_6.into()));
    let done = groups.leave(22 * SECOND, GROUP_6.into(), &addresses()).unwrap();
    let routers = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
    assert_eq!((&done.payload, done.path.destination()), (&message(132, routers), routers.into()));
    assert_eq!(groups.join(280 * SECOND, GROUP_6.into(), &addresses()).unwrap().unwrap().payload[0], 143);
}

#[test]
fn an_mldv1_report_of_another_host_is_heard() {
    let mut groups = settled(GROUP_6.into());
    groups.receive_mld(0, &FROM_PEER, &mld(130, 1000, GROUP_6, &[])).unwrap();
    groups.receive_mld(0, &FROM_PEER, &mld(131, 0, GROUP_6, &[])).unwrap();
    assert_eq!(groups.next_deadline(), None);
}

#[test]
fn mld_times_are_read_as_rfc_3810_says() {
    let most = |code, rest: &[u8]| match message::parse_mld(&FROM_PEER, &mld(130, code, GROUP_6, rest)) {
        Ok(Heard::Query { most, .. }) => most / 1000,
        other => panic!("{other:?}"),
    };
    assert_eq!(most(0xffff, &[]), 65_535);
    assert_eq!(most(0x7fff, &[0; 4]), 32_767);
    assert_eq!(most(0x8001, &[0; 4]), 0x1001 << 3);
    assert_eq!(most(0xffff, &[0; 4]), 0x1fff << 10);
}

#[test]
fn mld_messages_from_beyond_the_link_are_refused() {
    let query = mld(130, 1000, GROUP_6, &[]);
    let refused = |envelope: Envelope, message: &[u8]| fresh().receive_mld(0, &envelope, message).err();
    assert_eq!(refused(FROM_PEER, &query), None);
    let global = "2001:db8::2".parse().unwrap();
    for envelope in [
        Envelope { source: global, ..FROM_PEER },
        Envelope { hop_limit: 2, ..FROM_PEER },
        Envelope { router_alert: false, ..FROM_PEER },
        Envelope { source: Ipv6Addr::UNSPECIFIED, ..FROM_PEER },
    ] {
        assert_eq!(refused(envelope, &query), Some(Cause::Envelope), "{envelope:?}");
    }
    assert_eq!(refused(FROM_PEER, &query[..23]), Some(Cause::Length));
    assert_eq!(refused(FROM_PEER, &mld(130, 0, GROUP_6, &[0; 2])), Some(Cause::Length));
    assert_eq!(refused(FROM_PEER, &mld(130, 0, PEER_LOCAL, &[])), Some(Cause::Group));
    assert_eq!(refused(FROM_PEER, &mld(132, 0, GROUP_6, &[])), Some(Cause::NotForHosts));
}

#[test]
fn what_everybody_is_in_is_not_reported() {
    let mut groups = fresh();
    let interface_local = Ipv6Addr::new(0xff01, 0, 0, 0, 0, 0, 0, 5);
    for group in [ALL_SYSTEMS.into(), ALL_NODES.into(), interface_local.into()] {
        assert_eq!(groups.join(0, group, &addresses()), Ok(None));
    }
    groups.receive_igmp(0, &igmp(0x11, 10, [0; 4])).unwrap();
    groups.receive_mld(0, &FROM_PEER, &mld(130, 10, Ipv6Addr::UNSPECIFIED, &[])).unwrap();
    assert_eq!(groups.next_deadline(), None);
}
