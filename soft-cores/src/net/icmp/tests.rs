use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::*;
use crate::net::ip::{Arrival, Host, Input, Outcome};
use crate::net::reassembly::Limits;
use crate::net::specimens::{
    CARD, CARD_6, CARD_LOCAL, ICMP, ICMPV6, PEER, PEER_6, PEER_LOCAL, TCP, UDP, addresses, fragment_6, groups, icmp,
    icmp_6, ipv4, ipv4_with, ipv6,
};
use crate::net::{Micros, SECOND};

const ROUTER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 254);
/// A TCP header's first bytes: from port 80 to port 4660, sequence number 0x01020304.
const SEGMENT: [u8; 8] = [0, 80, 0x12, 0x34, 1, 2, 3, 4];

/// What the message in a packet to this host is found to be, and the reply if there is one.
fn receive_packet(packet: &[u8]) -> Result<Received<'static>, Cause> {
    let (addresses, groups) = (addresses(), groups());
    let host = Host { addresses: &addresses, groups: &groups };
    let arrival = Arrival { cast: Cast::Unicast, header_check: abi::receive::Check::None };
    let mut input = Input::new(Limits::default());
    let outcome = match packet[0] >> 4 {
        4 => input.receive_ipv4(0, packet, arrival, host),
        _ => input.receive_ipv6(0, packet, arrival, host),
    };
    let Outcome::Deliver(delivery) = outcome else { panic!("{outcome:?}") };
    let received = receive(&addresses, &delivery, delivery.payload_of(packet))?;
    Ok(match received {
        Received::Answer(outgoing) => Received::Answer(outgoing),
        Received::Error { kind, quoted } => Received::Error { kind, quoted },
        Received::ListenerDiscovery => Received::ListenerDiscovery,
        Received::NeighbourDiscovery => Received::NeighbourDiscovery,
        Received::EchoReply { identifier, sequence, payload } => {
            Received::EchoReply { identifier, sequence, payload: payload.to_vec().leak() }
        }
    })
}

fn v4_message(message: &[u8]) -> Vec<u8> {
    ipv4(PEER, CARD, ICMP, &icmp(message.to_vec()))
}

fn v6_message(destination: Ipv6Addr, message: &[u8]) -> Vec<u8> {
    ipv6(PEER_6, destination, ICMPV6, &icmp_6(PEER_6, destination, message.to_vec()))
}

#[track_caller]
fn answer_packet(packet: &[u8]) -> Vec<u8> {
    match receive_packet(packet) {
        Ok(Received::Answer(outgoing)) => outgoing.packet(),
        other => panic!("{other:?}"),
    }
}

fn with_hop_limit(mut packet: Vec<u8>, hop_limit: u8) -> Vec<u8> {
    packet[7] = hop_limit;
    packet
}

#[test]
fn an_echo_request_comes_back_as_rfc_792_says() {
    let request = [8, 0, 0, 0, 0x12, 0x34, 0, 7, b'p', b'i', b'n'];
    let reply = icmp([0, 0, 0, 0, 0x12, 0x34, 0, 7, b'p', b'i', b'n'].to_vec());
    let mut expected = ipv4(CARD, PEER, ICMP, &reply);
    // Ours has identification 0; the sum rises by what it had.
    expected[4..6].fill(0);
    expected[10..12].fill(0);
    let checksum = crate::net::specimens::internet_checksum(&[&expected[..20]]);
    expected[10..12].copy_from_slice(&checksum);
    assert_eq!(answer_packet(&v4_message(&request)), expected);
}

#[test]
fn an_icmpv6_echo_request_comes_back_even_from_a_group() {
    let request = [128, 0, 0, 0, 0x12, 0x34, 0, 7, 1, 2];
    let reply = icmp_6(CARD_6, PEER_6, [129, 0, 0, 0, 0x12, 0x34, 0, 7, 1, 2].to_vec());
    let expected = with_hop_limit(ipv6(CARD_6, PEER_6, ICMPV6, &reply), 64);
    assert_eq!(answer_packet(&v6_message(CARD_6, &request)), expected);
    let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    assert_eq!(answer_packet(&v6_message(all_nodes, &request)), expected);
    assert_eq!(
        receive_packet(&ipv4(PEER, Ipv4Addr::new(10, 0, 0, 255), ICMP, &icmp([8, 0, 0, 0, 0, 0, 0, 0].into()))),
        Err(Cause::ToGroup)
    );
}

#[test]
fn what_is_cut_or_bent_is_not_heeded() {
    assert_eq!(receive_packet(&ipv4(PEER, CARD, ICMP, &[8, 0, 0xf7, 0xff, 0, 0, 0])), Err(Cause::Truncated));
    assert_eq!(receive_packet(&ipv4(PEER, CARD, ICMP, &[8, 0, 0xf7, 0xfe, 0, 0, 0, 0])), Err(Cause::Checksum));
    assert_eq!(receive_packet(&ipv6(PEER_6, CARD_6, ICMPV6, &[128, 0, 0, 0, 0, 0, 0, 0])), Err(Cause::Checksum));
    for ignored in [4, 5, 13, 17, 200] {
        assert_eq!(receive_packet(&v4_message(&[ignored, 0, 0, 0, 0, 0, 0, 0])), Err(Cause::Ignored));
    }
    assert_eq!(receive_packet(&v6_message(CARD_6, &[127, 0, 0, 0, 0, 0, 0, 0])), Err(Cause::Ignored));
}

#[test]
fn an_echo_reply_goes_to_who_asked() {
    let expected = Received::EchoReply { identifier: 0x1234, sequence: 7, payload: &[5] };
    assert_eq!(receive_packet(&v4_message(&[0, 0, 0, 0, 0x12, 0x34, 0, 7, 5])), Ok(expected.clone()));
    assert_eq!(receive_packet(&v6_message(CARD_6, &[129, 0, 0, 0, 0x12, 0x34, 0, 7, 5])), Ok(expected));
}

#[test]
fn other_protocols_of_icmpv6_are_told_apart() {
    for kind in [130, 131, 132, 143] {
        assert_eq!(receive_packet(&v6_message(CARD_6, &[kind, 0, 0, 0, 0, 0, 0, 0])), Ok(Received::ListenerDiscovery));
    }
    for kind in 133..=137 {
        assert_eq!(receive_packet(&v6_message(CARD_6, &[kind, 0, 0, 0, 0, 0, 0, 0])), Ok(Received::NeighbourDiscovery));
    }
}

fn tcp_quote(local: IpAddr, remote: IpAddr) -> Quoted {
    Quoted { protocol: IpProtocol::Tcp, local, remote, ports: Some((80, 0x1234)), sequence: Some(0x0102_0304) }
}

#[test]
fn the_connection_of_a_cut_quote_is_found() {
    // Fragmentation needed, next hop 1,400; the quote is a header with options and eight bytes of a long packet.
    let mut quote = ipv4_with(CARD, PEER, TCP, 0x4000, &[1, 1, 1, 0], &[&SEGMENT[..], &[0; 1400]].concat());
    quote.truncate(32);
    let message = [&[3, 4, 0, 0, 0, 0, 0x05, 0x78][..], &quote].concat();
    let expected =
        Received::Error { kind: ErrorKind::TooBig { mtu: 1400 }, quoted: tcp_quote(CARD.into(), PEER.into()) };
    assert_eq!(receive_packet(&ipv4(ROUTER, CARD, ICMP, &icmp(message.clone()))), Ok(expected));
    assert_eq!(receive_packet(&ipv4(ROUTER, CARD, ICMP, &icmp(message[..39].to_vec()))), Err(Cause::Quote));
}

#[test]
fn the_connection_is_found_behind_extension_headers() {
    let inner = [&[6, 0, 1, 4, 0, 0, 0, 0][..], &SEGMENT].concat();
    let quote = ipv6(CARD_6, PEER_6, 60, &inner);
    let message = [&[2, 0, 0, 0, 0, 0, 0x05, 0x00][..], &quote].concat();
    let quoted = tcp_quote(CARD_6.into(), PEER_6.into());
    let expected = Received::Error { kind: ErrorKind::TooBig { mtu: 1280 }, quoted };
    assert_eq!(receive_packet(&v6_message(CARD_6, &message)), Ok(expected));
    let later = ipv6(CARD_6, PEER_6, 44, &fragment_6(TCP, 8, false, 1, &SEGMENT));
    let message = [&[1, 4, 0, 0, 0, 0, 0, 0][..], &later].concat();
    assert_eq!(receive_packet(&v6_message(CARD_6, &message)), Err(Cause::Quote));
}

#[test]
fn errors_about_what_this_host_did_not_send_are_not_believed() {
    let about = |quote: &[u8]| receive_packet(&v4_message(&[&[3, 3, 0, 0, 0, 0, 0, 0][..], quote].concat()));
    assert!(about(&ipv4(CARD, PEER, TCP, &SEGMENT)).is_ok());
    assert_eq!(about(&ipv4(PEER, CARD, TCP, &SEGMENT)), Err(Cause::Quote));
    assert_eq!(about(&ipv4_with(CARD, PEER, TCP, 1, &[], &SEGMENT)), Err(Cause::Quote));
    assert_eq!(about(&ipv4(CARD, PEER, TCP, &SEGMENT)[..20]), Err(Cause::Quote));
    assert_eq!(about(&[0x46; 19]), Err(Cause::Quote));
}

#[test]
fn kinds_of_errors_are_those_of_the_tables() {
    let v4 = |kind, code| ErrorKind::of_v4([kind, code, 0, 0, 0, 0, 0, 0]);
    let v6 = |kind, code| ErrorKind::of_v6([kind, code, 0, 0, 0, 0, 0, 0]);
    assert_eq!([v4(3, 0), v4(3, 1)], [Some(ErrorKind::NetworkUnreachable), Some(ErrorKind::HostUnreachable)]);
    assert_eq!([v4(3, 2), v4(3, 3)], [Some(ErrorKind::ProtocolUnreachable), Some(ErrorKind::PortUnreachable)]);
    assert_eq!([v4(3, 13), v4(3, 16)], [Some(ErrorKind::Prohibited), None]);
    assert_eq!([v4(11, 0), v4(11, 1)], [Some(ErrorKind::TimeExceeded), Some(ErrorKind::ReassemblyTime)]);
    assert_eq!([v4(12, 0), v4(11, 2)], [Some(ErrorKind::ParameterProblem), None]);
    assert_eq!([v6(1, 0), v6(1, 3)], [Some(ErrorKind::NetworkUnreachable), Some(ErrorKind::HostUnreachable)]);
    assert_eq!([v6(1, 4), v6(1, 1)], [Some(ErrorKind::PortUnreachable), Some(ErrorKind::Prohibited)]);
    assert_eq!([v6(3, 0), v6(3, 1)], [Some(ErrorKind::TimeExceeded), Some(ErrorKind::ReassemblyTime)]);
    assert_eq!([v6(4, 1), v6(4, 0)], [Some(ErrorKind::ProtocolUnreachable), Some(ErrorKind::ParameterProblem)]);
    assert_eq!(v6(1, 7), None);
}

fn report(packet: &[u8], problem: Problem) -> Result<Outgoing, Withheld> {
    let mut errors = Errors::new(RateLimit::default());
    let outgoing = errors.report(0, &addresses(), packet, problem);
    let withheld = errors.withheld().iter().next();
    assert_eq!(errors.sent() + errors.withheld().total(), 1);
    outgoing.ok_or_else(|| withheld.unwrap().0)
}

#[test]
fn a_closed_port_is_reported_as_rfc_792_and_1812_say() {
    let long = ipv4(PEER, CARD, UDP, &[9; 1000]);
    let outgoing = report(&long, Problem::PortUnreachable).unwrap();
    assert_eq!(outgoing.path, Path::V4 { source: CARD, destination: PEER });
    let expected = icmp([&[3, 3, 0, 0, 0, 0, 0, 0][..], &long[..548]].concat());
    assert_eq!(outgoing.payload, expected);
    assert_eq!(outgoing.packet().len(), 576);
    let short = ipv4(PEER, CARD, UDP, &[9; 8]);
    let padded = [&short[..], &[0; 20]].concat();
    let outgoing = report(&padded, Problem::PortUnreachable).unwrap();
    assert_eq!(outgoing.payload, icmp([&[3, 3, 0, 0, 0, 0, 0, 0][..], &short].concat()));
}

#[test]
fn a_closed_port_is_reported_as_rfc_4443_says() {
    let long = ipv6(PEER_6, CARD_6, UDP, &[9; 1400]);
    let outgoing = report(&long, Problem::PortUnreachable).unwrap();
    let expected = icmp_6(CARD_6, PEER_6, [&[1, 4, 0, 0, 0, 0, 0, 0][..], &long[..1232]].concat());
    assert_eq!((outgoing.payload, outgoing.protocol), (expected, IpProtocol::Icmpv6));
}

#[test]
fn every_problem_has_its_type_and_code() {
    let head = |packet: &[u8], problem| report(packet, problem).unwrap().payload[..8].to_vec();
    let clear = |mut head: Vec<u8>| {
        head[2..4].fill(0);
        head
    };
    let v4 = |problem| clear(head(&ipv4(PEER, CARD, UDP, &[0; 8]), problem));
    let v6 = |problem| clear(head(&ipv6(PEER_6, CARD_6, UDP, &[0; 8]), problem));
    let parameter = |what| Problem::Parameter { at: 42, what };
    assert_eq!(v4(Problem::ProtocolUnreachable { at: 9 }), [3, 2, 0, 0, 0, 0, 0, 0]);
    assert_eq!(v4(Problem::ReassemblyTime), [11, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(v4(parameter(Parameter::Header)), [12, 0, 0, 0, 42, 0, 0, 0]);
    assert_eq!(v6(Problem::ProtocolUnreachable { at: 6 }), [4, 1, 0, 0, 0, 0, 0, 6]);
    assert_eq!(v6(Problem::ReassemblyTime), [3, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(v6(parameter(Parameter::Header)), [4, 0, 0, 0, 0, 0, 0, 42]);
    assert_eq!(v6(parameter(Parameter::NextHeader)), [4, 1, 0, 0, 0, 0, 0, 42]);
    assert_eq!(v6(parameter(Parameter::Option { even_to_group: false })), [4, 2, 0, 0, 0, 0, 0, 42]);
    assert_eq!(v6(parameter(Parameter::IncompleteChain)), [4, 3, 0, 0, 0, 0, 0, 42]);
}

#[test]
fn no_error_about_an_error_a_group_a_later_fragment_or_nobody() {
    let why = |packet: &[u8]| report(packet, Problem::PortUnreachable).err();
    for kind in [3, 4, 5, 11, 12] {
        assert_eq!(why(&ipv4(PEER, CARD, ICMP, &[kind, 0, 0, 0])), Some(Withheld::AboutError), "type {kind}");
    }
    assert_eq!(why(&ipv4(PEER, CARD, ICMP, &[])), Some(Withheld::AboutError));
    assert_eq!(why(&ipv4(PEER, CARD, ICMP, &[8, 0, 0, 0])), None);
    assert_eq!(why(&ipv4(PEER, Ipv4Addr::new(10, 0, 0, 255), UDP, &[0; 8])), Some(Withheld::ToGroup));
    assert_eq!(why(&ipv4(PEER, Ipv4Addr::new(224, 0, 0, 1), UDP, &[0; 8])), Some(Withheld::ToGroup));
    assert_eq!(why(&ipv4(Ipv4Addr::UNSPECIFIED, CARD, UDP, &[0; 8])), Some(Withheld::Source));
    assert_eq!(why(&ipv4(Ipv4Addr::new(10, 0, 0, 255), CARD, UDP, &[0; 8])), Some(Withheld::Source));
    assert_eq!(why(&ipv4_with(PEER, CARD, UDP, 0x2001, &[], &[0; 8])), Some(Withheld::LaterFragment));
    assert_eq!(why(&ipv4_with(PEER, CARD, UDP, 0x2000, &[], &[0; 8])), None);
    assert_eq!(why(&[0x45; 19]), Some(Withheld::Unreadable));
}

#[test]
fn no_icmpv6_error_about_an_error_a_group_or_nobody_but_one() {
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let why = |packet: &[u8]| report(packet, Problem::PortUnreachable).err();
    for kind in [1, 4, 127, 137] {
        assert_eq!(why(&ipv6(PEER_6, CARD_6, ICMPV6, &[kind, 0, 0, 0])), Some(Withheld::AboutError), "type {kind}");
    }
    let behind_an_option = [&[ICMPV6, 0, 0x7e, 4, 0, 0, 0, 0][..], &[1, 0, 0, 0]].concat();
    assert_eq!(why(&ipv6(PEER_6, CARD_6, 60, &behind_an_option)), Some(Withheld::AboutError));
    assert_eq!(why(&ipv6(PEER_6, CARD_6, ICMPV6, &[128, 0, 0, 0])), None);
    assert_eq!(why(&ipv6(PEER_6, group, UDP, &[0; 8])), Some(Withheld::ToGroup));
    assert_eq!(why(&ipv6(Ipv6Addr::UNSPECIFIED, CARD_6, UDP, &[0; 8])), Some(Withheld::Source));
    let option = |even_to_group| Problem::Parameter { at: 42, what: Parameter::Option { even_to_group } };
    assert_eq!(report(&ipv6(PEER_LOCAL, group, UDP, &[0; 8]), option(false)), Err(Withheld::ToGroup));
    let outgoing = report(&ipv6(PEER_LOCAL, group, UDP, &[0; 8]), option(true)).unwrap();
    assert_eq!(outgoing.path, Path::V6 { source: CARD_LOCAL, destination: PEER_LOCAL });
}

#[test]
fn errors_are_limited_to_their_rate() {
    let mut errors = Errors::new(RateLimit { interval: SECOND / 10, burst: 3 });
    let packet = ipv4(PEER, CARD, UDP, &[0; 8]);
    let mut sent_at = |now: Micros| errors.report(now, &addresses(), &packet, Problem::PortUnreachable).is_some();
    let at_once: Vec<_> = (0..5).map(|_| sent_at(0)).collect();
    assert_eq!(at_once, [true, true, true, false, false]);
    assert!(!sent_at(SECOND / 10 - 1));
    assert!(sent_at(SECOND / 10));
    assert!(!sent_at(SECOND / 10));
    let in_a_second = (0..1000).filter(|step| sent_at(SECOND + step * 1000)).count();
    assert_eq!(in_a_second, 12, "three saved up, one in each tenth, the last of them not quite over");
    assert_eq!((errors.sent(), errors.withheld().of(Withheld::Rate)), (16, 992));
}
