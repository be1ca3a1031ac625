use alloc::vec::Vec;
use core::net::Ipv4Addr;

use super::cache::{Dropped, MAX_SOLICITATIONS, RETRANSMIT, State};
use super::*;
use crate::net::SECOND;
use crate::net::addresses::{ALL_NODES, solicited_node};
use crate::net::specimens::{
    CARD, CARD_6, CARD_LOCAL, ICMPV6, PEER, PEER_6, PEER_LOCAL, addresses, below, icmp_6, ipv4, ipv6, random_bytes,
    seeded,
};

const OWN: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 1]);
const THEIRS: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 2]);
const MOVED: EthernetAddress = EthernetAddress([2, 0, 0, 0, 0, 3]);
const EVERYBODY: EthernetAddress = EthernetAddress::BROADCAST;

fn with(limits: Limits, turn: Turn) -> Neighbours {
    let routes = Routes::new([Ipv4Addr::new(10, 0, 0, 254)].into());
    Neighbours::new(OWN, turn, limits, routes, Random::new(1))
}

/// The only processor, so that it answers everything.
fn alone() -> Neighbours {
    with(Limits::default(), Turn::new(0, 1))
}

fn frame(destination: EthernetAddress, ether_type: EthernetProtocol, payload: Vec<u8>) -> Output {
    Output::Transmit { destination, ether_type, payload }
}

/// RFC 826 in the order of its fields: Ethernet, IPv4, lengths 6 and 4, operation, sender, target.
fn arp(operation: u8, sender: (EthernetAddress, Ipv4Addr), target: (EthernetAddress, Ipv4Addr)) -> Vec<u8> {
    let mut bytes = alloc::vec![0, 1, 8, 0, 6, 4, 0, operation];
    for (hardware, protocol) in [sender, target] {
        bytes.extend_from_slice(&hardware.0);
        bytes.extend_from_slice(&protocol.octets());
    }
    bytes
}

const NOBODY: EthernetAddress = EthernetAddress([0; 6]);

fn arp_frame(to: EthernetAddress, payload: Vec<u8>) -> Output {
    frame(to, EthernetProtocol::Arp, payload)
}

/// A packet to the peer, and as the frame that it becomes.
fn packet_and_frame(byte: u8) -> (Vec<u8>, Output) {
    let packet = ipv4(CARD, PEER, 17, &[byte; 8]);
    (packet.clone(), frame(THEIRS, EthernetProtocol::Ipv4, packet))
}

fn send(neighbours: &mut Neighbours, now: Micros, byte: u8) -> Vec<Output> {
    neighbours.send(now, PEER.into(), packet_and_frame(byte).0, &addresses())
}

/// The peer answers an ARP request.
fn answer(neighbours: &mut Neighbours, now: Micros, sender: EthernetAddress) -> Vec<Output> {
    neighbours.receive_arp(now, &arp(2, (sender, PEER), (OWN, CARD)), &addresses()).unwrap()
}

#[test]
fn a_packet_waits_until_arp_has_answered() {
    let mut neighbours = alone();
    let request = arp_frame(EVERYBODY, arp(1, (OWN, CARD), (NOBODY, PEER)));
    assert_eq!(send(&mut neighbours, 0, 1), [request]);
    assert_eq!(send(&mut neighbours, 0, 2), []);
    let (one, two) = (packet_and_frame(1).1, packet_and_frame(2).1);
    assert_eq!(answer(&mut neighbours, 500, THEIRS), [one, two]);
    assert_eq!(send(&mut neighbours, 600, 3), [packet_and_frame(3).1]);
    assert_eq!((neighbours.cache().waiting_bytes(), neighbours.next_deadline()), (0, None));
}

#[test]
fn a_request_is_answered_as_rfc_826_says_and_teaches() {
    let mut neighbours = alone();
    let request = arp(1, (THEIRS, PEER), (NOBODY, CARD));
    let reply = arp_frame(THEIRS, arp(2, (OWN, CARD), (THEIRS, PEER)));
    assert_eq!(neighbours.receive_arp(0, &request, &addresses()), Ok([reply].into()));
    assert_eq!(neighbours.cache().address(PEER.into()), Some(THEIRS));
    assert_eq!(neighbours.cache().state(PEER.into()), Some(State::Stale));
}

#[test]
fn one_processor_answers_and_all_learn() {
    let request = arp(1, (THEIRS, PEER), (NOBODY, CARD));
    let mut answers = 0;
    for me in 0..16 {
        let mut neighbours = with(Limits::default(), Turn::new(me, 0xffff));
        answers += neighbours.receive_arp(0, &request, &addresses()).unwrap().len();
        assert_eq!(neighbours.cache().address(PEER.into()), Some(THEIRS));
        let solicitation = solicitation(PEER_LOCAL, CARD_6, Some(THEIRS));
        answers += discover(&mut neighbours, &solicitation).unwrap().len();
        assert_eq!(neighbours.cache().address(PEER_LOCAL.into()), Some(THEIRS));
    }
    assert_eq!(answers, 2);
}

#[test]
fn an_answer_to_another_processor_is_learned_as_stale() {
    let mut neighbours = alone();
    assert_eq!(answer(&mut neighbours, 0, THEIRS), []);
    assert_eq!(neighbours.cache().state(PEER.into()), Some(State::Stale));
}

#[test]
fn a_probe_is_answered_and_teaches_nothing() {
    let mut neighbours = alone();
    let probe = arp(1, (THEIRS, Ipv4Addr::UNSPECIFIED), (NOBODY, CARD));
    let reply = arp_frame(THEIRS, arp(2, (OWN, CARD), (THEIRS, Ipv4Addr::UNSPECIFIED)));
    assert_eq!(neighbours.receive_arp(0, &probe, &addresses()), Ok([reply].into()));
    assert!(neighbours.cache().is_empty());
}

#[test]
fn gratuitous_arp_changes_what_is_known_and_adds_nothing() {
    let mut neighbours = alone();
    let announcement = arp(1, (MOVED, PEER), (NOBODY, PEER));
    assert_eq!(neighbours.receive_arp(0, &announcement, &addresses()), Ok(Vec::new()));
    assert!(neighbours.cache().is_empty());
    send(&mut neighbours, 0, 1);
    answer(&mut neighbours, 0, THEIRS);
    neighbours.receive_arp(1, &announcement, &addresses()).unwrap();
    assert_eq!(neighbours.cache().address(PEER.into()), Some(MOVED));
    assert_eq!(neighbours.cache().state(PEER.into()), Some(State::Stale));
}

#[test]
fn arp_that_cannot_be_true_is_refused() {
    let refused = |bytes: &[u8]| alone().receive_arp(0, bytes, &addresses()).unwrap_err();
    let good = arp(1, (THEIRS, PEER), (NOBODY, CARD));
    for length in 0..good.len() {
        assert_eq!(refused(&good[..length]), Cause::Malformed);
    }
    for (at, value) in [(1, 6), (2, 0x86), (4, 8), (5, 16), (7, 3)] {
        let mut bad = good.clone();
        bad[at] = value;
        assert_eq!(refused(&bad), Cause::Malformed, "byte {at}");
    }
    assert_eq!(refused(&arp(1, (EVERYBODY, PEER), (NOBODY, CARD))), Cause::Sender);
    assert_eq!(refused(&arp(1, (THEIRS, Ipv4Addr::new(10, 0, 0, 255)), (NOBODY, CARD))), Cause::Sender);
    assert_eq!(refused(&arp(2, (THEIRS, CARD), (OWN, CARD))), Cause::Conflict);
    let mut neighbours = alone();
    let afar = arp(1, (THEIRS, Ipv4Addr::new(8, 8, 8, 8)), (NOBODY, CARD));
    assert_eq!(neighbours.receive_arp(0, &afar, &addresses()).unwrap().len(), 1);
    assert!(neighbours.cache().is_empty(), "who is not on the link is not learned");
}

#[test]
fn who_does_not_answer_is_given_up_after_three_questions() {
    let mut neighbours = alone();
    let mut asked = send(&mut neighbours, 0, 1).len();
    for number in 1..u64::from(MAX_SOLICITATIONS) {
        assert_eq!(neighbours.next_deadline(), Some(number * RETRANSMIT));
        assert_eq!(neighbours.poll(number * RETRANSMIT - 1, &addresses()), []);
        asked += neighbours.poll(number * RETRANSMIT, &addresses()).len();
    }
    assert_eq!(asked, 3);
    let gone = neighbours.poll(3 * RETRANSMIT, &addresses());
    assert_eq!(gone, [Output::Unreachable { packet: packet_and_frame(1).0 }]);
    assert_eq!((neighbours.cache().len(), neighbours.cache().waiting_bytes()), (0, 0));
}

#[test]
fn a_neighbour_that_was_quiet_is_probed_when_it_is_used() {
    let mut neighbours = alone();
    send(&mut neighbours, 0, 1);
    answer(&mut neighbours, 0, THEIRS);
    let State::Reachable(until) = neighbours.cache().state(PEER.into()).unwrap() else { panic!() };
    assert!((15 * SECOND..=45 * SECOND).contains(&until));
    assert_eq!(send(&mut neighbours, until - 1, 2).len(), 1);
    assert_eq!(neighbours.next_deadline(), None);
    assert_eq!(send(&mut neighbours, until, 3), [packet_and_frame(3).1]);
    assert_eq!(neighbours.next_deadline(), Some(until + 5 * SECOND));
    let probe = arp_frame(THEIRS, arp(1, (OWN, CARD), (THEIRS, PEER)));
    for number in 0..3 {
        let outputs = neighbours.poll(until + (5 + number) * SECOND, &addresses());
        assert_eq!(outputs, core::slice::from_ref(&probe));
    }
    assert_eq!(neighbours.poll(until + 8 * SECOND, &addresses()), []);
    assert!(neighbours.cache().is_empty());
}

#[test]
fn what_the_transport_confirms_is_not_probed() {
    let mut neighbours = alone();
    neighbours.receive_arp(0, &arp(1, (THEIRS, PEER), (NOBODY, CARD)), &addresses()).unwrap();
    send(&mut neighbours, 0, 1);
    assert_eq!(neighbours.cache().state(PEER.into()), Some(State::Delay));
    neighbours.confirm(SECOND, PEER.into(), &addresses());
    assert!(matches!(neighbours.cache().state(PEER.into()), Some(State::Reachable(_))));
    assert_eq!(neighbours.next_deadline(), None);
}

#[test]
fn of_too_many_waiting_packets_the_oldest_goes() {
    let mut neighbours = alone();
    for byte in 1..=5 {
        send(&mut neighbours, 0, byte);
    }
    assert_eq!(neighbours.cache().dropped().of(Dropped::Newer), 2);
    assert_eq!(answer(&mut neighbours, 0, THEIRS), [3, 4, 5].map(|byte| packet_and_frame(byte).1));
    let mut neighbours = with(Limits { waiting_bytes: 60, ..Limits::default() }, Turn::new(0, 1));
    for byte in 1..=3 {
        send(&mut neighbours, 0, byte);
    }
    assert_eq!((neighbours.cache().waiting_bytes(), neighbours.cache().dropped().of(Dropped::Room)), (56, 1));
}

#[test]
fn what_was_only_heard_of_makes_room_first() {
    let mut neighbours = with(Limits { entries: 3, ..Limits::default() }, Turn::new(0, 1));
    let host = |low| Ipv4Addr::new(10, 0, 0, low);
    let ask = |neighbours: &mut Neighbours, low| {
        neighbours.receive_arp(0, &arp(1, (THEIRS, host(low)), (NOBODY, CARD)), &addresses()).unwrap();
    };
    let use_it = |neighbours: &mut Neighbours, now, low| {
        neighbours.send(now, host(low).into(), ipv4(CARD, host(low), 17, &[]), &addresses());
    };
    ask(&mut neighbours, 2);
    use_it(&mut neighbours, 0, 2);
    ask(&mut neighbours, 3);
    use_it(&mut neighbours, 1, 4);
    // Full of one in use, one heard of, one that is asked for.
    use_it(&mut neighbours, 2, 5);
    assert_eq!(neighbours.cache().address(host(3).into()), None);
    use_it(&mut neighbours, 3, 6);
    let left: Vec<_> = (2..=6).filter(|&low| neighbours.cache().state(host(low).into()).is_some()).collect();
    assert_eq!(left, [2, 5, 6]);
    assert_eq!(neighbours.cache().dropped().of(Dropped::Evicted), 1);
}

#[test]
fn groups_and_unreachable_networks_need_no_question() {
    let mut neighbours = alone();
    let group = Ipv4Addr::new(224, 0, 0, 251);
    let packet = ipv4(CARD, group, 17, &[]);
    let expected = frame(EthernetAddress([1, 0, 0x5e, 0, 0, 251]), EthernetProtocol::Ipv4, packet.clone());
    assert_eq!(neighbours.send(0, group.into(), packet, &addresses()), [expected]);
    let afar = "2600::1".parse().unwrap();
    let packet = ipv6(CARD_6, afar, 17, &[]);
    let unreachable = Output::Unreachable { packet: packet.clone() };
    assert_eq!(neighbours.send(0, afar.into(), packet, &addresses()), [unreachable]);
    let afar = Ipv4Addr::new(8, 8, 8, 8);
    let request = arp_frame(EVERYBODY, arp(1, (OWN, CARD), (NOBODY, Ipv4Addr::new(10, 0, 0, 254))));
    assert_eq!(neighbours.send(0, afar.into(), ipv4(CARD, afar, 17, &[]), &addresses()), [request]);
}

#[test]
fn the_card_announces_its_address_as_rfc_5227_says() {
    let expected = arp_frame(EVERYBODY, arp(1, (OWN, CARD), (NOBODY, CARD)));
    assert_eq!(alone().announcement(CARD), expected);
}

/// A message and what is around it.
struct Discovery {
    envelope: Envelope,
    message: Vec<u8>,
}

fn discovery(source: Ipv6Addr, destination: Ipv6Addr, message: Vec<u8>) -> Discovery {
    Discovery { envelope: Envelope { frame_source: THEIRS, source, destination, hop_limit: 255 }, message }
}

fn discover(neighbours: &mut Neighbours, discovery: &Discovery) -> Result<Vec<Output>, Cause> {
    neighbours.receive_discovery(0, &discovery.envelope, &discovery.message, &addresses())
}

/// RFC 4861, 4.3 and 4.4: type, code, checksum, flags, target, and an option of eight bytes (4.6.1).
fn target_message(kind: u8, flags: u8, target: Ipv6Addr, option: Option<(u8, EthernetAddress)>) -> Vec<u8> {
    let mut bytes = alloc::vec![kind, 0, 0, 0, flags, 0, 0, 0];
    bytes.extend_from_slice(&target.octets());
    if let Some((kind, address)) = option {
        bytes.extend_from_slice(&[kind, 1]);
        bytes.extend_from_slice(&address.0);
    }
    bytes
}

fn solicitation(source: Ipv6Addr, target: Ipv6Addr, address: Option<EthernetAddress>) -> Discovery {
    let message = target_message(135, 0, target, address.map(|address| (1, address)));
    discovery(source, solicited_node(target), message)
}

fn advertisement(flags: u8, target: Ipv6Addr, address: Option<EthernetAddress>) -> Discovery {
    let message = target_message(136, flags, target, address.map(|address| (2, address)));
    discovery(target, CARD_LOCAL, message)
}

fn nd_frame(to: EthernetAddress, source: Ipv6Addr, destination: Ipv6Addr, message: Vec<u8>) -> Output {
    frame(to, EthernetProtocol::Ipv6, ipv6(source, destination, ICMPV6, &icmp_6(source, destination, message)))
}

const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

#[test]
fn a_solicitation_is_answered_as_rfc_4861_says() {
    let mut neighbours = alone();
    let outputs = discover(&mut neighbours, &solicitation(PEER_LOCAL, CARD_6, Some(THEIRS))).unwrap();
    let message = target_message(136, SOLICITED | OVERRIDE, CARD_6, Some((2, OWN)));
    assert_eq!(outputs, [nd_frame(THEIRS, CARD_6, PEER_LOCAL, message)]);
}

#[test]
fn who_tries_our_address_is_told_by_all_nodes() {
    let mut neighbours = alone();
    let outputs = discover(&mut neighbours, &solicitation(Ipv6Addr::UNSPECIFIED, CARD_6, None)).unwrap();
    let message = target_message(136, OVERRIDE, CARD_6, Some((2, OWN)));
    assert_eq!(outputs, [nd_frame(EthernetAddress([0x33, 0x33, 0, 0, 0, 1]), CARD_6, ALL_NODES, message)]);
    assert!(neighbours.cache().is_empty());
}

#[test]
fn an_ipv6_packet_waits_for_an_advertisement() {
    let mut neighbours = alone();
    let packet = ipv6(CARD_6, PEER_6, 17, &[]);
    let outputs = neighbours.send(0, PEER_6.into(), packet.clone(), &addresses());
    let message = target_message(135, 0, PEER_6, Some((1, OWN)));
    let to = EthernetAddress([0x33, 0x33, 0xff, 0, 0, 2]);
    assert_eq!(outputs, [nd_frame(to, CARD_6, solicited_node(PEER_6), message)]);
    let outputs = discover(&mut neighbours, &advertisement(SOLICITED, PEER_6, Some(THEIRS))).unwrap();
    assert_eq!(outputs, [frame(THEIRS, EthernetProtocol::Ipv6, packet)]);
    assert!(matches!(neighbours.cache().state(PEER_6.into()), Some(State::Reachable(_))));
}

#[test]
fn advertisements_change_states_as_rfc_4861_appendix_c_says() {
    let known = |flags| {
        let mut neighbours = alone();
        neighbours.send(0, PEER_6.into(), ipv6(CARD_6, PEER_6, 17, &[]), &addresses());
        discover(&mut neighbours, &advertisement(flags, PEER_6, Some(THEIRS))).unwrap();
        neighbours
    };
    let then = |first, second, address| {
        let mut neighbours = known(first);
        discover(&mut neighbours, &advertisement(second, PEER_6, address)).unwrap();
        let is_reachable = matches!(neighbours.cache().state(PEER_6.into()), Some(State::Reachable(_)));
        (is_reachable, neighbours.cache().address(PEER_6.into()).unwrap())
    };
    assert_eq!(then(0, 0, None), (false, THEIRS), "unsolicited: stale");
    assert_eq!(then(SOLICITED, 0, Some(THEIRS)), (true, THEIRS), "nothing new");
    assert_eq!(then(SOLICITED, SOLICITED, Some(MOVED)), (false, THEIRS), "another address that does not override");
    assert_eq!(then(0, SOLICITED | OVERRIDE, Some(MOVED)), (true, MOVED));
    assert_eq!(then(SOLICITED, OVERRIDE, Some(MOVED)), (false, MOVED));
    assert_eq!(then(0, SOLICITED, None), (true, THEIRS), "a confirmation without address");
}

#[test]
fn a_router_advertisement_gives_a_way_out() {
    let mut neighbours = alone();
    // RFC 4861, 4.2: hop limit, flags, lifetime 1,800 s, times; source address; MTU; prefix 2001:db8:5::/64, on link,
    // 3,600 s.
    let mut message = alloc::vec![134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0];
    message.extend_from_slice(&[1, 1, 2, 0, 0, 0, 0, 2]);
    message.extend_from_slice(&[5, 1, 0, 0, 0, 0, 0x05, 0xdc]);
    message.extend_from_slice(&[3, 4, 64, 0x80, 0, 0, 0x0e, 0x10, 0, 0, 0x0e, 0x10, 0, 0, 0, 0]);
    message.extend_from_slice(&[0x20, 1, 0x0d, 0xb8, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let advertisement = discovery(PEER_LOCAL, ALL_NODES, message);
    assert_eq!(discover(&mut neighbours, &advertisement), Ok(Vec::new()));
    let afar: Ipv6Addr = "2600::1".parse().unwrap();
    let packet = ipv6(CARD_6, afar, 17, &[]);
    let expected = frame(THEIRS, EthernetProtocol::Ipv6, packet.clone());
    assert_eq!(neighbours.send(0, afar.into(), packet, &addresses()), [expected]);
    let near: Ipv6Addr = "2001:db8:5::9".parse().unwrap();
    neighbours.send(0, near.into(), ipv6(CARD_6, near, 17, &[]), &addresses());
    assert_eq!(neighbours.cache().state(near.into()), Some(State::Incomplete(1)));
    // It is no router any more.
    discover(&mut neighbours, &super::tests::advertisement(0, PEER_LOCAL, None)).unwrap();
    assert_eq!(neighbours.routes().routers(0).count(), 0);
}

#[test]
fn discovery_that_breaks_a_rule_is_refused() {
    let refused = |change: &dyn Fn(&mut Discovery)| {
        let mut discovery = solicitation(PEER_LOCAL, CARD_6, Some(THEIRS));
        change(&mut discovery);
        discover(&mut alone(), &discovery).err()
    };
    assert_eq!(refused(&|_| {}), None);
    assert_eq!(refused(&|it| it.envelope.hop_limit = 254), Some(Cause::HopLimit));
    assert_eq!(refused(&|it| it.message[1] = 1), Some(Cause::Malformed));
    assert_eq!(refused(&|it| it.message.truncate(23)), Some(Cause::Malformed));
    assert_eq!(refused(&|it| it.message.truncate(31)), Some(Cause::Malformed));
    assert_eq!(refused(&|it| it.message[25] = 0), Some(Cause::Malformed));
    assert_eq!(refused(&|it| it.message[8] = 0xff), Some(Cause::Malformed));
    assert_eq!(refused(&|it| it.message[23] = 9), Some(Cause::OtherTarget));
    assert_eq!(refused(&|it| it.envelope.source = Ipv6Addr::UNSPECIFIED), Some(Cause::Malformed));
    assert_eq!(refused(&|it| it.message = alloc::vec![133, 0, 0, 0, 0, 0, 0, 0]), Some(Cause::NotForHosts));
    assert_eq!(refused(&|it| *it = advertisement(0, CARD_6, None)), Some(Cause::Conflict));
    let to_group = |it: &mut Discovery| {
        *it = advertisement(SOLICITED, PEER_6, None);
        it.envelope.destination = ALL_NODES;
    };
    assert_eq!(refused(&to_group), Some(Cause::Malformed));
    let from_afar = |it: &mut Discovery| *it = discovery(PEER_6, ALL_NODES, alloc::vec![134; 16]);
    assert_eq!(
        refused(&|it| {
            from_afar(it);
            it.message[1] = 0;
        }),
        Some(Cause::Sender)
    );
}

const WANTED: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x77);

#[test]
fn an_address_that_nobody_has_becomes_ours() {
    let mut neighbours = alone();
    assert!(neighbours.try_address(100, WANTED));
    let probe = target_message(135, 0, WANTED, None);
    let to = EthernetAddress([0x33, 0x33, 0xff, 0, 0, 0x77]);
    let probe = nd_frame(to, Ipv6Addr::UNSPECIFIED, solicited_node(WANTED), probe);
    assert_eq!(neighbours.poll(99, &addresses()), []);
    assert_eq!(neighbours.poll(100, &addresses()), [probe]);
    assert_eq!(neighbours.next_deadline(), Some(100 + SECOND));
    assert_eq!(neighbours.poll(100 + SECOND, &addresses()), [Output::Unique { address: WANTED }]);
    assert_eq!(neighbours.next_deadline(), None);
}

#[test]
fn one_processor_asks_for_an_address_and_all_get_it() {
    let (mut probes, mut unique) = (0, 0);
    for me in 0..4 {
        let mut neighbours = with(Limits::default(), Turn::new(me, 0b1111));
        neighbours.try_address(0, WANTED);
        probes += neighbours.poll(0, &addresses()).len();
        unique += neighbours.poll(SECOND, &addresses()).len();
    }
    assert_eq!((probes, unique), (1, 4));
}

#[test]
fn an_address_that_somebody_has_or_wants_is_given_up() {
    for objection in [solicitation(Ipv6Addr::UNSPECIFIED, WANTED, None), advertisement(OVERRIDE, WANTED, Some(THEIRS))]
    {
        let mut neighbours = alone();
        neighbours.try_address(0, WANTED);
        neighbours.poll(0, &addresses());
        assert_eq!(discover(&mut neighbours, &objection), Ok([Output::Duplicate { address: WANTED }].into()));
        assert_eq!(neighbours.poll(SECOND, &addresses()), []);
    }
    let mut neighbours = alone();
    neighbours.try_address(0, WANTED);
    let ordinary = solicitation(PEER_LOCAL, WANTED, Some(THEIRS));
    assert_eq!(discover(&mut neighbours, &ordinary), Err(Cause::OtherTarget), "RFC 4862, 5.4.3: no objection");
    let mut echo = solicitation(Ipv6Addr::UNSPECIFIED, WANTED, None);
    echo.envelope.frame_source = OWN;
    assert_eq!(discover(&mut neighbours, &echo), Err(Cause::OtherTarget), "our own question, come back");
}

#[test]
fn whatever_is_heard_the_cache_stays_in_its_bounds() {
    let mut rng = seeded(826);
    let limits = Limits { entries: 8, waiting: 2, waiting_bytes: 200 };
    let mut neighbours = with(limits, Turn::new(0, 1));
    let (mut now, mut sent, mut left) = (0, 0_u64, 0);
    for _ in 0..20_000 {
        now += below(&mut rng, 300_000) as Micros;
        let peer = Ipv4Addr::new(10, 0, 0, 2 + below(&mut rng, 20) as u8);
        let hardware = EthernetAddress([2, 0, 0, 0, 0, below(&mut rng, 4) as u8]);
        let outputs = match below(&mut rng, 5) {
            0 | 1 => {
                sent += 1;
                neighbours.send(now, peer.into(), ipv4(CARD, peer, 17, &[0; 20]), &addresses())
            }
            2 => neighbours.receive_arp(now, &arp(2, (hardware, peer), (OWN, CARD)), &addresses()).unwrap_or_default(),
            3 => neighbours.receive_arp(now, &random_bytes(&mut rng, 28), &addresses()).unwrap_or_default(),
            _ => neighbours.poll(now, &addresses()),
        };
        left += outputs.iter().filter(|output| is_packet(output)).count() as u64;
        let cache = neighbours.cache();
        assert!(cache.len() <= limits.entries && cache.waiting_bytes() <= limits.waiting_bytes);
        let waiting = cache.waiting_bytes() as u64 / 40;
        assert_eq!(sent, left + cache.dropped().total() + waiting, "every packet is sent, waits, or is counted");
    }
    assert!(sent > 5000 && left > 1000, "{sent} {left}");
    assert!(
        [Dropped::Newer, Dropped::Room, Dropped::Evicted].iter().all(|&why| neighbours.cache().dropped().of(why) > 0)
    );
}

fn is_packet(output: &Output) -> bool {
    matches!(output, Output::Transmit { ether_type: EthernetProtocol::Ipv4, .. } | Output::Unreachable { .. })
}
