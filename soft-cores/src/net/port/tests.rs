use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use rand_chacha::ChaCha8Rng;
use smoltcp::wire::EthernetAddress;

use super::*;
use crate::net::SECOND;
use crate::net::ethernet::Tags;
use crate::net::specimens::{
    CARD, CARD_6, ICMP, ICMPV6, PEER, PEER_6, PEER_LOCAL, TCP, UDP, addresses, below, fragment_6, icmp, icmp_6,
    internet_checksum, ipv4, ipv4_with, ipv6, random_bytes, seeded,
};

const OWN: [u8; 6] = [2, 0, 0, 0, 0, 1];
const THEIRS: [u8; 6] = [2, 0, 0, 0, 0, 2];
const ALL_NODES_FRAME: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const ARP: u16 = 0x0806;
/// The hardware says nothing.
const UNCHECKED: Status = Status(0);

fn port_of(turn: Turn) -> NetworkPort {
    NetworkPort::new(Config {
        station: Station { address: EthernetAddress(OWN), tags: Tags::default() },
        addresses: addresses(),
        gateways: [Ipv4Addr::new(10, 0, 0, 254)].into(),
        turn,
        mtu: 1500,
        seed: 9,
        reassembly: reassembly::Limits { bytes: 16_000, source_bytes: 9_000, datagrams: 8, fragments: 8 },
        neighbours: cache::Limits { entries: 8, waiting: 2, waiting_bytes: 4000 },
        groups: 8,
        errors: RateLimit::default(),
    })
    .unwrap()
}

/// The only processor.
fn port() -> NetworkPort {
    port_of(Turn::new(0, 1))
}

fn ethernet(destination: [u8; 6], source: [u8; 6], ether_type: u16, payload: &[u8]) -> Vec<u8> {
    [&destination[..], &source, &ether_type.to_be_bytes(), payload].concat()
}

fn received(ether_type: u16, payload: &[u8]) -> Vec<u8> {
    ethernet(OWN, THEIRS, ether_type, payload)
}

fn transmitted(ether_type: u16, payload: &[u8]) -> Event<'static> {
    Event::Transmit(ethernet(THEIRS, OWN, ether_type, payload))
}

/// The peer asks for the card: then the card knows the peer.
fn arp_request() -> Vec<u8> {
    let mut bytes = alloc::vec![0, 1, 8, 0, 6, 4, 0, 1];
    bytes.extend_from_slice(&THEIRS);
    bytes.extend_from_slice(&PEER.octets());
    bytes.extend_from_slice(&[0; 6]);
    bytes.extend_from_slice(&CARD.octets());
    ethernet([0xff; 6], THEIRS, ARP, &bytes)
}

fn solicitation() -> Vec<u8> {
    let mut message = alloc::vec![135, 0, 0, 0, 0, 0, 0, 0];
    message.extend_from_slice(&CARD_6.octets());
    message.extend_from_slice(&[1, 1, 2, 0, 0, 0, 0, 2]);
    let group = solicited_node(CARD_6);
    let packet = ipv6(PEER_6, group, ICMPV6, &icmp_6(PEER_6, group, message));
    ethernet([0x33, 0x33, 0xff, 0, 0, 1], THEIRS, IPV6, &packet)
}

/// A port that knows its peer over both protocols.
fn acquainted() -> NetworkPort {
    let mut port = port();
    assert_eq!(port.receive(0, &arp_request(), UNCHECKED).len(), 1);
    assert_eq!(port.receive(0, &solicitation(), UNCHECKED).len(), 1);
    port
}

#[test]
fn a_stranger_that_pings_is_asked_for_its_address_first() {
    let mut port = port();
    let ping = received(IPV4, &ipv4(PEER, CARD, ICMP, &icmp([8, 0, 0, 0, 0, 1, 0, 1].into())));
    let events = port.receive(0, &ping, UNCHECKED);
    assert!(matches!(&events[..], [Event::Transmit(frame)] if frame[..14] == ethernet([0xff; 6], OWN, ARP, &[])));
    let mut answer = arp_request();
    answer[21] = 2;
    let events = port.receive(0, &answer, UNCHECKED);
    assert!(matches!(&events[..], [Event::Transmit(frame)] if frame[12..14] == [8, 0] && frame[34] == 0));
    assert_eq!((port.counters().taken.of(Taken::Icmp), port.counters().taken.of(Taken::Arp)), (1, 1));
}

#[test]
fn a_datagram_goes_to_the_transport_with_its_verdict() {
    let mut port = port();
    let packet = ipv4(PEER, CARD, UDP, &[1; 8]);
    let frame = received(IPV4, &[&packet[..], &[0; 18]].concat());
    let good = Status(Check::Good as u32 * ((1 << Status::IP_CHECK_LSB) + (1 << Status::TRANSPORT_CHECK_LSB)));
    let events = port.receive(0, &frame, good);
    let [Event::Deliver { packet: Cow::Borrowed(bytes), delivery, transport_check: Check::Good }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(delivery.payload_of(bytes), [1; 8]);
    let bad = Status((Check::Bad as u32) << Status::TRANSPORT_CHECK_LSB);
    assert_eq!(port.receive(0, &frame, bad), []);
    assert_eq!(port.counters().dropped.of(Cause::TransportChecksum), 1);
}

#[test]
fn a_ping_longer_than_a_frame_comes_back_in_fragments() {
    let mut port = acquainted();
    let message = icmp([&[8, 0, 0, 0, 0, 1, 0, 1][..], &[7; 2500]].concat());
    let first = ipv4_with(PEER, CARD, ICMP, 0x2000, &[], &message[..1480]);
    let last = ipv4_with(PEER, CARD, ICMP, 1480 / 8, &[], &message[1480..]);
    assert_eq!(port.receive(0, &received(IPV4, &last), UNCHECKED), []);
    let reply = icmp([&[0, 0, 0, 0, 0, 1, 0, 1][..], &[7; 2500]].concat());
    // Identification 0, that of processor 0's first.
    let numbered = |mut packet: Vec<u8>| {
        packet[4..6].fill(0);
        packet[10..12].fill(0);
        let checksum = internet_checksum(&[&packet[..20]]);
        packet[10..12].copy_from_slice(&checksum);
        packet
    };
    let first_reply = numbered(ipv4_with(CARD, PEER, ICMP, 0x2000, &[], &reply[..1480]));
    let last_reply = numbered(ipv4_with(CARD, PEER, ICMP, 1480 / 8, &[], &reply[1480..]));
    let expected = [transmitted(IPV4, &first_reply), transmitted(IPV4, &last_reply)];
    assert_eq!(port.receive(0, &received(IPV4, &first), UNCHECKED), expected);
    assert_eq!((port.counters().taken.of(Taken::Fragment), port.counters().taken.of(Taken::Icmp)), (1, 1));
    assert_eq!(port.identification, MAX_PROCESSORS as u32);
}

#[test]
fn discovery_in_a_fragment_is_refused() {
    let whole = solicitation();
    let fragment = fragment_6(ICMPV6, 0, false, 1, &whole[54..]);
    let mut port = port();
    let packet = ipv6(PEER_6, solicited_node(CARD_6), 44, &fragment);
    assert_eq!(port.receive(0, &ethernet(ALL_NODES_FRAME, THEIRS, IPV6, &packet), UNCHECKED), []);
    assert_eq!(port.counters().dropped.of(Cause::Neighbour(neighbour::Cause::Fragmented)), 1);
}

#[test]
fn unknown_protocols_and_closed_ports_are_reported() {
    let mut port = acquainted();
    let packet = ipv4(PEER, CARD, 99, &[1; 8]);
    let message = icmp([&[3, 2, 0, 0, 0, 0, 0, 0][..], &packet].concat());
    let incoming = received(IPV4, &packet);
    let [Event::Transmit(frame)] = &port.receive(0, &incoming, UNCHECKED)[..] else { panic!() };
    assert_eq!(frame[34..], message);
    assert_eq!(port.counters().dropped.of(Cause::Protocol), 1);
    let packet = ipv6(PEER_6, CARD_6, UDP, &[1; 8]);
    let [Event::Transmit(frame)] = &port.report(0, &packet, Problem::PortUnreachable)[..] else { panic!() };
    assert_eq!(frame[54..], icmp_6(CARD_6, PEER_6, [&[1, 4, 0, 0, 0, 0, 0, 0][..], &packet].concat()));
    assert_eq!(port.errors().sent(), 2);
}

#[test]
fn a_malformed_option_is_pointed_at() {
    let mut port = acquainted();
    let packet = ipv4_with(PEER, CARD, UDP, 0, &[1, 68, 1, 0], &[1; 8]);
    let incoming = received(IPV4, &packet);
    let [Event::Transmit(frame)] = &port.receive(0, &incoming, UNCHECKED)[..] else { panic!() };
    assert_eq!(frame[34..], icmp([&[12, 0, 0, 0, 21, 0, 0, 0][..], &packet].concat()));
    assert_eq!(port.counters().dropped.of(Cause::Ip(ip::Cause::Option)), 1);
}

#[test]
fn who_sent_only_a_first_fragment_is_told() {
    let mut port = acquainted();
    let packet = ipv4_with(PEER, CARD, UDP, 0x2000, &[], &[5; 16]);
    port.receive(0, &received(IPV4, &packet), UNCHECKED);
    assert_eq!(port.next_deadline(), Some(30 * SECOND));
    let [Event::Transmit(frame)] = &port.poll(30 * SECOND)[..] else { panic!() };
    assert_eq!(frame[34..], icmp([&[11, 1, 0, 0, 0, 0, 0, 0][..], &packet].concat()));
}

#[test]
fn a_connection_whose_peer_does_not_answer_is_told() {
    let mut port = port();
    let segment = ipv4(CARD, PEER, TCP, &[0, 80, 0x12, 0x34, 0, 0, 0, 9, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0]);
    port.send(0, segment);
    let events: Vec<_> = (1..=3).flat_map(|second| port.poll(second * SECOND)).collect();
    let Some(Event::Error { kind: ErrorKind::HostUnreachable, quoted }) = events.last() else { panic!("{events:?}") };
    assert_eq!((quoted.ports, quoted.sequence), (Some((80, 0x1234)), Some(9)));
}

#[test]
fn one_processor_starts_for_all() {
    let frames: Vec<_> = (0..4).map(|me| port_of(Turn::new(me, 0b1111)).start(0)).collect();
    let speaking: Vec<_> = frames.iter().filter(|events| !events.is_empty()).collect();
    // Its address, a question for routers, and the solicited-node groups of two addresses, which are one.
    assert_eq!(speaking.iter().map(|events| events.len()).collect::<Vec<_>>(), [3]);
}

#[test]
fn an_address_that_was_tried_is_the_cards() {
    let mut port = port();
    let wanted = "fe80::77".parse().unwrap();
    assert_eq!(port.try_address(0, wanted).unwrap().len(), 1, "the group is reported");
    assert!(matches!(&port.poll(0)[..], [Event::Transmit(frame)] if frame[54] == 135));
    assert!(!port.addresses().is_own(wanted.into()));
    assert!(port.poll(SECOND).contains(&Event::AddressAdded(wanted)));
    assert!(port.addresses().is_own(wanted.into()));
    let mut refused = Vec::new();
    for low in 1..=neighbour::MAX_TENTATIVE as u16 + 1 {
        // All in one group.
        let address = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, low, 0, 0x78);
        refused.extend(port.try_address(SECOND, address).unwrap().into_iter().filter(|event| is_refusal(event)));
    }
    assert_eq!(refused.len(), 1);
}

#[test]
fn an_address_that_somebody_has_is_refused_and_its_group_left() {
    let mut port = port();
    let wanted: Ipv6Addr = "fe80::77".parse().unwrap();
    let group = solicited_node(wanted);
    port.try_address(0, wanted).unwrap();
    assert!(port.groups.is_member(group.into()));
    let message = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &wanted.octets()].concat();
    let nobody = Ipv6Addr::UNSPECIFIED;
    let packet = ipv6(nobody, group, ICMPV6, &icmp_6(nobody, group, message));
    let frame = ethernet([0x33, 0x33, 0xff, 0, 0, 0x77], THEIRS, IPV6, &packet);
    assert_eq!(port.receive(0, &frame, UNCHECKED), [Event::AddressRefused(wanted)]);
    assert!(!port.groups.is_member(group.into()) && !port.addresses().is_own(wanted.into()));
}

fn is_refusal(event: &Event) -> bool {
    matches!(event, Event::AddressRefused(_))
}

#[test]
fn groups_that_were_joined_are_heard_and_reported() {
    let mut port = port();
    let group = Ipv4Addr::new(224, 0, 0, 251);
    let frame = ethernet([1, 0, 0x5e, 0, 0, 251], THEIRS, IPV4, &ipv4(PEER, group, UDP, &[0; 8]));
    assert_eq!(port.receive(0, &frame, UNCHECKED), []);
    assert_eq!(port.join(0, group.into()).unwrap().len(), 1);
    assert!(matches!(port.receive(0, &frame, UNCHECKED)[..], [Event::Deliver { .. }]));
    assert_eq!(port.leave(0, group.into()).len(), 1);
    assert_eq!(port.receive(0, &frame, UNCHECKED), []);
    assert_eq!(port.counters().dropped.of(Cause::Ip(ip::Cause::NotOurs)), 2);
}

/// Sound frames of every kind that the card takes.
fn sound_frames() -> Vec<Vec<u8>> {
    let all_nodes: Ipv6Addr = "ff02::1".parse().unwrap();
    let quote = ipv4(CARD, PEER, TCP, &[0, 80, 0x12, 0x34, 0, 0, 0, 9]);
    let quote_6 = ipv6(CARD_6, PEER_6, UDP, &[0, 80, 0x12, 0x34, 0, 0, 0, 9]);
    let v4 = |message: &[u8]| received(IPV4, &ipv4(PEER, CARD, ICMP, &icmp(message.to_vec())));
    let v6 = |source: Ipv6Addr, destination: Ipv6Addr, message: Vec<u8>| {
        let to = if destination.is_multicast() { ALL_NODES_FRAME } else { OWN };
        ethernet(to, THEIRS, IPV6, &ipv6(source, destination, ICMPV6, &icmp_6(source, destination, message)))
    };
    let mut advertisement =
        alloc::vec![134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 2];
    advertisement.extend_from_slice(&[3, 4, 64, 0x80, 0, 0, 0x0e, 0x10, 0, 0, 0x0e, 0x10, 0, 0, 0, 0]);
    advertisement.extend_from_slice(&[0x20, 1, 0x0d, 0xb8, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let neighbour = [&[136, 0, 0, 0, 0x60, 0, 0, 0][..], &PEER_6.octets(), &[2, 1, 2, 0, 0, 0, 0, 2]].concat();
    let listener = [&[130, 0, 0, 0, 0, 10, 0, 0][..], &[0; 16], &[2, 125, 0, 0]].concat();
    let listener = [&[ICMPV6, 0, 5, 2, 0, 0, 1, 0][..], &icmp_6(PEER_LOCAL, all_nodes, listener)].concat();
    let mut listener = ethernet(ALL_NODES_FRAME, THEIRS, IPV6, &ipv6(PEER_LOCAL, all_nodes, 0, &listener));
    listener[21] = 1;
    let extensions = [&[44, 0, 1, 4, 0, 0, 0, 0][..], &fragment_6(UDP, 0, true, 3, &[3; 16])].concat();
    let query = icmp([0x11, 10, 0, 0, 0, 0, 0, 0].into());
    let mut tagged = received(IPV4, &ipv4(PEER, CARD, UDP, &[1; 12]));
    tagged.splice(12..12, [0x81, 0, 0xe0, 0]);
    [
        arp_request(),
        solicitation(),
        tagged,
        v4(&[8, 0, 0, 0, 0, 1, 0, 1, 5, 6]),
        v4(&[0, 0, 0, 0, 0, 1, 0, 1]),
        v4(&[&[3, 4, 0, 0, 0, 0, 5, 0][..], &quote].concat()),
        received(IPV4, &ipv4(PEER, CARD, TCP, &[2; 20])),
        received(IPV4, &ipv4_with(PEER, CARD, UDP, 0, &[1, 148, 4, 0, 0, 68, 2, 0], &[2; 20])),
        received(IPV4, &ipv4_with(PEER, CARD, UDP, 0x2000, &[], &[2; 24])),
        received(IPV4, &ipv4_with(PEER, CARD, UDP, 3, &[], &[2; 9])),
        ethernet([1, 0, 0x5e, 0, 0, 1], THEIRS, IPV4, &ipv4(PEER, Ipv4Addr::new(224, 0, 0, 1), 2, &query)),
        received(IPV6, &ipv6(PEER_6, CARD_6, TCP, &[2; 20])),
        received(IPV6, &ipv6(PEER_6, CARD_6, 60, &extensions)),
        received(IPV6, &ipv6(PEER_6, CARD_6, 44, &fragment_6(UDP, 16, false, 3, &[3; 5]))),
        v6(PEER_6, CARD_6, [128, 0, 0, 0, 0, 1, 0, 1].into()),
        v6(PEER_6, all_nodes, [128, 0, 0, 0, 0, 1, 0, 1].into()),
        received(
            IPV6,
            &ipv6(PEER_6, CARD_6, ICMPV6, &icmp_6(PEER_6, CARD_6, [&[1, 4, 0, 0, 0, 0, 0, 0][..], &quote_6].concat())),
        ),
        v6(PEER_LOCAL, all_nodes, advertisement),
        v6(PEER_6, CARD_6, neighbour),
        listener,
    ]
    .into()
}

/// Bends a frame: bytes, bits, lengths, pieces of another.
fn mutate(rng: &mut ChaCha8Rng, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut frame = frames[below(rng, frames.len())].clone();
    for _ in 0..below(rng, 4) {
        let at = below(rng, frame.len().max(1));
        match below(rng, 6) {
            0 if at < frame.len() => frame[at] = [0, 1, 0x7f, 0x80, 0xff][below(rng, 5)],
            1 if at < frame.len() => frame[at] ^= 1 << below(rng, 8),
            // The headers are where it matters.
            2 | 3 if frame.len() > 70 => frame[14 + below(rng, 56)] = random_bytes(rng, 1)[0],
            4 => frame.truncate(at),
            _ => {
                let other = &frames[below(rng, frames.len())];
                let from = below(rng, other.len());
                frame.splice(at.min(frame.len()).., other[from..].iter().copied());
            }
        }
    }
    frame
}

/// Makes checksums right again, so that what is wrong is found further in.
fn mend(frame: &mut [u8]) {
    let Some(packet) = frame.get_mut(14..) else { return };
    let header = match packet.first().map(|first| first >> 4) {
        Some(4) if packet.len() >= 20 => (packet[0] as usize & 15) * 4,
        Some(6) if packet.len() >= 44 && packet[6] == ICMPV6 => 40,
        _ => return,
    };
    if header == 40 && packet[0] >> 4 == 6 {
        let end = (40 + u16::from_be_bytes([packet[4], packet[5]]) as usize).clamp(44, packet.len());
        packet[42..44].fill(0);
        let length = (end as u32 - 40).to_be_bytes();
        let sum = internet_checksum(&[&packet[8..40], &length, &[0, 0, 0, ICMPV6], &packet[40..end]]);
        packet[42..44].copy_from_slice(&sum);
        return;
    }
    let end = (u16::from_be_bytes([packet[2], packet[3]]) as usize).min(packet.len());
    if (20..=end).contains(&header) {
        packet[10..12].fill(0);
        let sum = internet_checksum(&[&packet[..header]]);
        packet[10..12].copy_from_slice(&sum);
        if matches!(packet[9], ICMP | 2) && header + 4 <= end {
            packet[header + 2..header + 4].fill(0);
            let sum = internet_checksum(&[&packet[header..end]]);
            packet[header + 2..header + 4].copy_from_slice(&sum);
        }
    }
}

#[test]
fn sound_frames_are_all_taken() {
    let mut port = port();
    let frames = sound_frames();
    for frame in &frames {
        port.receive(0, frame, UNCHECKED);
    }
    assert_eq!(port.counters().dropped, Tally::default());
    let taken: Vec<_> = port.counters().taken.iter().collect();
    let expected = [
        (Taken::Arp, 1),
        (Taken::Discovery, 3),
        (Taken::Group, 2),
        (Taken::Icmp, 6),
        (Taken::Transport, 6),
        (Taken::Fragment, 2),
    ];
    assert_eq!(taken, expected);
    assert_eq!(frames.len(), 20);
}

#[test]
fn no_bytes_make_it_panic_or_grow_and_every_frame_is_counted_once() {
    let mut rng = seeded(0xbad);
    let frames = sound_frames();
    let mut port = port();
    let (mut now, mut delivered, mut transmitted) = (0, 0, 0);
    const FRAMES: u64 = 300_000;
    for number in 1..=FRAMES {
        now += below(&mut rng, 2000) as Micros;
        let mut frame = if number % 50 == 0 {
            let length = below(&mut rng, 200);
            random_bytes(&mut rng, length)
        } else {
            mutate(&mut rng, &frames)
        };
        if below(&mut rng, 4) > 0 {
            mend(&mut frame);
        }
        let status = Status(
            (below(&mut rng, 3) << Status::IP_CHECK_LSB | below(&mut rng, 3) << Status::TRANSPORT_CHECK_LSB) as u32,
        );
        let status = if below(&mut rng, 2) == 0 { UNCHECKED } else { status };
        let mut events = port.receive(now, &frame, status);
        let due = if number % 16 == 0 { port.poll(now) } else { Vec::new() };
        events.extend(due);
        for event in &events {
            match event {
                Event::Transmit(frame) => {
                    transmitted += 1;
                    assert!(frame.len() <= 1514 && frame[6..12] == OWN);
                }
                Event::Deliver { packet, delivery, .. } => {
                    delivered += 1;
                    assert!(delivery.payload.start <= delivery.payload.end && delivery.payload.end <= packet.len());
                    let bare = delivery.without_extensions(packet);
                    assert!(bare.ends_with(delivery.payload_of(packet)));
                }
                _ => {}
            }
        }
        assert_bounds(&port, number);
    }
    let counters = port.counters();
    assert_eq!(counters.taken.of(Taken::Transport), delivered);
    assert!(delivered > FRAMES / 20 && transmitted > FRAMES / 100, "{delivered} {transmitted}");
    assert_eq!(counters.taken.iter().count(), 6, "every kind was met");
    let causes: BTreeSet<_> = counters.dropped.iter().map(|(cause, _)| cause).collect();
    assert!(causes.len() > 40, "only {} causes were met: {causes:?}", causes.len());
}

/// Nothing is over its limit, and everything is counted.
fn assert_bounds(port: &NetworkPort, frames: u64) {
    let counters = port.counters();
    assert_eq!(counters.received, frames);
    assert_eq!(counters.taken.total() + counters.dropped.total(), frames);
    let (ip, reassembly) = (port.input().counters(), port.input().reassembly());
    let dropped = ip.drops.total() + reassembly.drops().total();
    assert_eq!(ip.received, ip.delivered + ip.merged + dropped + reassembly.held());
    assert!(reassembly.bytes() <= 16_000 && reassembly.held() <= 64);
    let cache = port.neighbours().cache();
    assert!(cache.len() <= 8 && cache.waiting_bytes() <= 4000);
    assert!(port.neighbours().routes().routers(0).count() <= crate::net::route::MAX_ROUTERS);
}

#[test]
fn the_same_seed_gives_the_same_frames() {
    let run = || {
        let mut port = port();
        let mut events: Vec<Event<'static>> = port.start(0);
        let query = ethernet(
            [1, 0, 0x5e, 0, 0, 1],
            THEIRS,
            IPV4,
            &ipv4(PEER, Ipv4Addr::new(224, 0, 0, 1), 2, &icmp([0x11, 100, 0, 0, 0, 0, 0, 0].into())),
        );
        port.join(0, Ipv4Addr::new(239, 1, 1, 1).into()).unwrap();
        port.receive(SECOND, &query, UNCHECKED);
        while let Some(at) = port.next_deadline() {
            events.extend(port.poll(at));
        }
        events
    };
    let events = run();
    assert_eq!(events, run());
    assert!(events.len() >= 5, "{}", events.len());
}
