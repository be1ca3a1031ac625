use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::*;
use crate::net::addresses::solicited_node;
use crate::net::specimens::{
    CARD, CARD_6, ICMPV6, PEER, PEER_6, TCP, UDP, addresses, fragment_6, groups, ipv4, ipv4_with, ipv6,
};

const UNICAST: Arrival = Arrival { cast: Cast::Unicast, header_check: Check::None };
const BROADCAST: Arrival = Arrival { cast: Cast::Broadcast, header_check: Check::None };

fn receive(packet: &[u8], arrival: Arrival) -> Outcome {
    receive_with(&mut Input::new(Limits::default()), packet, arrival)
}

fn receive_with(input: &mut Input, packet: &[u8], arrival: Arrival) -> Outcome {
    let (addresses, groups) = (addresses(), groups());
    let host = Host { addresses: &addresses, groups: &groups };
    match packet.first().map(|first| first >> 4) {
        Some(6) => input.receive_ipv6(0, packet, arrival, host),
        _ => input.receive_ipv4(0, packet, arrival, host),
    }
}

#[track_caller]
fn delivered(outcome: Outcome) -> Delivery {
    match outcome {
        Outcome::Deliver(delivery) => delivery,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(outcome: Outcome) -> (Cause, Option<Problem>) {
    match outcome {
        Outcome::Drop(refusal) => (refusal.cause, refusal.problem),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn cause(packet: &[u8]) -> Cause {
    refused(receive(packet, UNICAST)).0
}

/// Options of one length-eight header: next header, length, then six bytes.
fn extension(next_header: u8, options: [u8; 6]) -> Vec<u8> {
    [&[next_header, 0][..], &options].concat()
}

#[test]
fn an_ipv4_packet_is_read_as_rfc_791_says() {
    // Version 4, five words, 22 bytes, identification 0x1234, do not fragment, TTL 64, UDP. The other words add up to
    // eb5e.
    let mut packet =
        [0x45, 0, 0, 22, 0x12, 0x34, 0x40, 0, 64, 17, 0x14, 0xa1, 10, 0, 0, 2, 10, 0, 0, 1, 0xaa, 0xbb, 0, 0, 0, 0];
    let delivery = delivered(receive(&packet, UNICAST));
    let expected = Delivery {
        source: PEER.into(),
        destination: CARD.into(),
        cast: Cast::Unicast,
        protocol: IpProtocol::Udp,
        protocol_at: 9,
        hop_limit: 64,
        router_alert: false,
        was_fragmented: false,
        payload: 20..22,
    };
    assert_eq!(delivery, expected);
    assert_eq!(delivery.payload_of(&packet), [0xaa, 0xbb]);
    packet[10] ^= 1;
    assert_eq!(cause(&packet), Cause::Checksum);
    let trusted = Arrival { header_check: Check::Good, ..UNICAST };
    assert_eq!(delivered(receive(&packet, trusted)), expected, "what the hardware found good is not summed again");
    packet[10] ^= 1;
    assert_eq!(refused(receive(&packet, Arrival { header_check: Check::Bad, ..UNICAST })), (Cause::Checksum, None));
}

#[test]
fn an_ipv6_packet_is_read_as_rfc_8200_says() {
    let mut packet = alloc::vec![0x6f, 0xff, 0xff, 0xff, 0, 2, 17, 9];
    packet.extend_from_slice(&[0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    packet.extend_from_slice(&[0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    packet.extend_from_slice(&[0xaa, 0xbb, 0, 0]);
    let expected = Delivery {
        source: PEER_6.into(),
        destination: CARD_6.into(),
        cast: Cast::Unicast,
        protocol: IpProtocol::Udp,
        protocol_at: 6,
        hop_limit: 9,
        router_alert: false,
        was_fragmented: false,
        payload: 40..42,
    };
    assert_eq!(delivered(receive(&packet, UNICAST)), expected);
}

#[test]
fn ipv4_lengths_that_lie_are_refused() {
    let packet = ipv4(PEER, CARD, UDP, &[0; 8]);
    let with = |at: usize, value: u8| {
        let mut packet = packet.clone();
        packet[at] = value;
        packet
    };
    assert_eq!(cause(&packet[..19]), Cause::Truncated);
    assert_eq!(cause(&packet[..27]), Cause::Length);
    assert_eq!(cause(&with(0, 0x44)), Cause::HeaderLength);
    assert_eq!(cause(&with(0, 0x4f)), Cause::HeaderLength);
    assert_eq!(cause(&with(3, 19)), Cause::HeaderLength);
    assert_eq!(cause(&with(3, 29)), Cause::Length);
    assert_eq!(cause(&with(0, 0x55)), Cause::Version);
    assert_eq!(cause(&[]), Cause::Truncated);
}

#[test]
fn only_what_is_for_this_host_goes_on() {
    let cast = |destination: [u8; 4], arrival| match receive(
        &ipv4(PEER, Ipv4Addr::from(destination), UDP, &[0; 8]),
        arrival,
    ) {
        Outcome::Deliver(delivery) => Ok(delivery.cast),
        other => Err(refused(other).0),
    };
    assert_eq!(cast([10, 0, 0, 1], UNICAST), Ok(Cast::Unicast));
    assert_eq!(cast([10, 0, 0, 3], UNICAST), Err(Cause::NotOurs));
    assert_eq!(cast([10, 0, 0, 255], BROADCAST), Ok(Cast::Broadcast));
    assert_eq!(cast([255; 4], BROADCAST), Ok(Cast::Broadcast));
    assert_eq!(cast([224, 0, 0, 1], BROADCAST), Ok(Cast::Multicast));
    assert_eq!(cast([224, 0, 0, 251], BROADCAST), Err(Cause::NotOurs));
    assert_eq!(cast([127, 0, 0, 1], UNICAST), Err(Cause::MartianDestination));
    assert_eq!(cast([0; 4], UNICAST), Err(Cause::MartianDestination));
    assert_eq!(cast([10, 0, 0, 1], BROADCAST), Err(Cause::UnicastInGroupFrame));
}

#[test]
fn only_what_is_for_this_host_goes_on_in_ipv6_too() {
    let cast = |destination: Ipv6Addr| match receive(&ipv6(PEER_6, destination, UDP, &[0; 8]), UNICAST) {
        Outcome::Deliver(delivery) => Ok(delivery.cast),
        other => Err(refused(other).0),
    };
    let group = |low| Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, low);
    assert_eq!(cast(CARD_6), Ok(Cast::Unicast));
    assert_eq!(cast(PEER_6), Err(Cause::NotOurs));
    assert_eq!([cast(group(1)), cast(solicited_node(CARD_6))], [Ok(Cast::Multicast); 2]);
    assert_eq!(cast(group(2)), Err(Cause::NotOurs));
    let inside = Ipv6Addr::new(0xff01, 0, 0, 0, 0, 0, 0, 1);
    for martian in [inside, Ipv6Addr::LOCALHOST, Ipv6Addr::UNSPECIFIED] {
        assert_eq!(cast(martian), Err(Cause::MartianDestination));
    }
}

#[test]
fn nobody_sends_from_nowhere_to_one_host() {
    let nowhere = Ipv4Addr::UNSPECIFIED;
    assert_eq!(cause(&ipv4(nowhere, CARD, UDP, &[0; 8])), Cause::MartianSource);
    delivered(receive(&ipv4(nowhere, Ipv4Addr::BROADCAST, UDP, &[0; 8]), BROADCAST));
    assert_eq!(cause(&ipv4(CARD, CARD, UDP, &[0; 8])), Cause::MartianSource);
    assert_eq!(cause(&ipv4(Ipv4Addr::new(10, 0, 0, 255), CARD, UDP, &[0; 8])), Cause::MartianSource);
    assert_eq!(cause(&ipv6(Ipv6Addr::UNSPECIFIED, CARD_6, UDP, &[0; 8])), Cause::MartianSource);
    assert_eq!(cause(&ipv6(Ipv6Addr::LOCALHOST, CARD_6, UDP, &[0; 8])), Cause::MartianSource);
    delivered(receive(&ipv6(Ipv6Addr::UNSPECIFIED, solicited_node(CARD_6), ICMPV6, &[0; 8]), UNICAST));
}

#[test]
fn ipv4_options_are_walked() {
    let with = |options: &[u8]| receive(&ipv4_with(PEER, CARD, UDP, 0, options, &[1; 8]), UNICAST);
    // No operation, timestamp of four bytes, end, and garbage behind it.
    let delivery = delivered(with(&[1, 68, 4, 5, 0, 0, 7, 255]));
    assert_eq!((delivery.payload, delivery.router_alert), (28..36, false));
    assert!(delivered(with(&[148, 4, 0, 0])).router_alert);
    assert_eq!(refused(with(&[131, 7, 4, 10, 0, 0, 9, 0])), (Cause::SourceRoute, None));
    assert_eq!(refused(with(&[1, 137, 7, 4, 10, 0, 0, 9])), (Cause::SourceRoute, None));
    for (options, at) in [([1, 1, 68, 3], 22), ([68, 1, 0, 0], 20), ([68, 0, 0, 0], 20), ([1, 1, 1, 68], 23)] {
        let problem = Problem::Parameter { at, what: Parameter::Header };
        assert_eq!(refused(with(&options)), (Cause::Option, Some(problem)), "{options:?}");
    }
}

#[test]
fn ipv6_extension_headers_are_walked_to_the_transport() {
    // Hop-by-hop with router alert, routing with no segments left, atomic fragment, destination options: PadN.
    let payload = [
        extension(43, [5, 2, 0, 0, 1, 0]),
        extension(44, [0; 6]),
        fragment_6(60, 0, false, 77, &extension(UDP, [1, 4, 0, 0, 0, 0])),
        [9; 8].into(),
    ]
    .concat();
    let packet = ipv6(PEER_6, CARD_6, 0, &payload);
    let delivery = delivered(receive(&packet, UNICAST));
    assert_eq!((delivery.protocol, delivery.protocol_at, delivery.payload.clone()), (IpProtocol::Udp, 64, 72..80));
    assert!(delivery.router_alert && delivery.was_fragmented);
    assert_eq!(delivery.without_extensions(&packet), ipv6(PEER_6, CARD_6, UDP, &[9; 8]));
}

#[test]
fn unknown_options_are_treated_as_their_two_high_bits_want() {
    let with = |kind| {
        receive(&ipv6(PEER_6, CARD_6, 60, &[extension(UDP, [0, kind, 2, 0, 0, 0]), [1; 8].into()].concat()), UNICAST)
    };
    delivered(with(0x3e));
    assert_eq!(refused(with(0x7e)), (Cause::Option, None));
    for (kind, even_to_group) in [(0xbe, true), (0xfe, false)] {
        let problem = Problem::Parameter { at: 43, what: Parameter::Option { even_to_group } };
        assert_eq!(refused(with(kind)), (Cause::Option, Some(problem)));
    }
}

#[test]
fn headers_that_may_not_stand_where_they_do_are_pointed_at() {
    let problem = |at, what| Some(Problem::Parameter { at, what });
    let hop_by_hop_second = [extension(0, [0; 6]), extension(UDP, [0; 6]), [0; 8].into()].concat();
    let outcome = receive(&ipv6(PEER_6, CARD_6, 60, &hop_by_hop_second), UNICAST);
    assert_eq!(refused(outcome), (Cause::NextHeader, problem(40, Parameter::NextHeader)));
    let segments_left = extension(UDP, [4, 1, 0, 0, 0, 0]);
    let outcome = receive(&ipv6(PEER_6, CARD_6, 43, &segments_left), UNICAST);
    assert_eq!(refused(outcome), (Cause::RoutingHeader, problem(42, Parameter::Header)));
    let beyond_its_header = extension(UDP, [1, 9, 0, 0, 0, 0]);
    let outcome = receive(&ipv6(PEER_6, CARD_6, 60, &beyond_its_header), UNICAST);
    assert_eq!(refused(outcome), (Cause::Option, problem(42, Parameter::Header)));
}

#[test]
fn the_walk_ends() {
    let eight = extension(60, [0; 6]).repeat(7);
    let within = [&eight[..], &extension(UDP, [0; 6]), &[0; 8]].concat();
    delivered(receive(&ipv6(PEER_6, CARD_6, 60, &within), UNICAST));
    let beyond = [&eight[..], &extension(60, [0; 6]), &extension(UDP, [0; 6])].concat();
    assert_eq!(cause(&ipv6(PEER_6, CARD_6, 60, &beyond)), Cause::Extensions);
    assert_eq!(cause(&ipv6(PEER_6, CARD_6, 59, &[])), Cause::NoNextHeader);
    assert_eq!(cause(&ipv6(PEER_6, CARD_6, 60, &[])), Cause::Truncated);
    assert_eq!(cause(&ipv6(PEER_6, CARD_6, 60, &[17, 1, 0, 0, 0, 0, 0, 0])), Cause::Truncated);
    assert_eq!(cause(&ipv6(PEER_6, CARD_6, 44, &[17, 0, 0, 0, 0, 0, 0])), Cause::Truncated);
}

#[test]
fn a_first_fragment_has_all_headers() {
    let incomplete = Some(Problem::Parameter { at: 0, what: Parameter::IncompleteChain });
    for (next_header, payload) in [(TCP, alloc::vec![0; 16]), (60, alloc::vec![17, 1, 0, 0, 0, 0, 0, 0])] {
        let packet = ipv6(PEER_6, CARD_6, 44, &fragment_6(next_header, 0, true, 1, &payload));
        assert_eq!(refused(receive(&packet, UNICAST)), (Cause::IncompleteChain, incomplete));
    }
    let packet = ipv6(PEER_6, CARD_6, 44, &fragment_6(TCP, 0, true, 1, &[0; 24]));
    assert_eq!(receive(&packet, UNICAST), Outcome::Held);
    let nested = fragment_6(44, 0, true, 1, &fragment_6(UDP, 0, true, 2, &[0; 8]));
    assert_eq!(cause(&ipv6(PEER_6, CARD_6, 44, &nested)), Cause::NestedFragment);
}

#[test]
fn fragments_that_cannot_be_true_are_pointed_at_in_ipv6() {
    let with = |offset, more, payload: &[u8]| {
        let fragment = [extension(44, [0; 6]), fragment_6(UDP, offset, more, 1, payload)].concat();
        refused(receive(&ipv6(PEER_6, CARD_6, 60, &fragment), UNICAST))
    };
    let problem = |at| Some(Problem::Parameter { at, what: Parameter::Header });
    assert_eq!(with(8, true, &[0; 7]), (Cause::Fragment(reassembly::Cause::Unaligned), problem(4)));
    assert_eq!(with(65_528, false, &[0; 8]), (Cause::Fragment(reassembly::Cause::TooLong), problem(50)));
}

#[test]
fn a_reassembled_datagram_is_judged_as_a_whole() {
    let mut input = Input::new(Limits::default());
    let first = ipv4_with(PEER, CARD, UDP, 0x2000, &[1, 1, 1, 0], &[7; 8]);
    let last = ipv4_with(PEER, CARD, UDP, 1, &[], &[8; 3]);
    assert_eq!(receive_with(&mut input, &last, UNICAST), Outcome::Held);
    let Outcome::Reassembled { packet, delivery } = receive_with(&mut input, &first, UNICAST) else { panic!() };
    assert_eq!(packet, ipv4_with(PEER, CARD, UDP, 0, &[1, 1, 1, 0], &[7, 7, 7, 7, 7, 7, 7, 7, 8, 8, 8]));
    assert_eq!((delivery.payload, delivery.was_fragmented), (24..35, true));
    let counters = input.counters();
    assert_eq!((counters.received, counters.delivered, counters.merged, counters.drops.total()), (2, 1, 1, 0));
    // Destination options that only the whole shows: the first fragment has them and the transport, the option forbids
    // to go on.
    let bad = [extension(UDP, [0x7e, 4, 0, 0, 0, 0]), [0; 8].into()].concat();
    assert_eq!(cause(&ipv6(PEER_6, CARD_6, 44, &fragment_6(60, 0, true, 1, &bad))), Cause::Option);
}

#[test]
fn headers_that_are_too_many_together_drop_all_fragments() {
    let mut input = Input::new(Limits::default());
    let five = |last: u8| [extension(60, [0; 6]).repeat(4), extension(last, [0; 6])].concat();
    let first = [five(44), fragment_6(60, 0, true, 1, &[five(UDP), [0; 8].into()].concat())].concat();
    let last = [five(44), fragment_6(60, 48, false, 1, &[0; 4])].concat();
    assert_eq!(receive_with(&mut input, &ipv6(PEER_6, CARD_6, 60, &first), UNICAST), Outcome::Held);
    let outcome = receive_with(&mut input, &ipv6(PEER_6, CARD_6, 60, &last), UNICAST);
    assert_eq!(refused(outcome), (Cause::Extensions, None));
    assert_eq!((input.counters().received, input.counters().drops.of(Cause::Extensions)), (2, 2));
}
