use alloc::vec::Vec;
use core::net::{IpAddr, Ipv6Addr};

use rand_chacha::ChaCha8Rng;

use super::*;
use crate::net::specimens::{
    CARD, CARD_6, PEER, PEER_6, UDP, below, fragment_6, ipv4_with, ipv6, random_bytes, seeded,
};

/// One piece of a datagram, as a sender would cut it.
#[derive(Clone, Debug)]
struct Cut {
    offset: u16,
    more: bool,
    payload: Vec<u8>,
}

fn cut(offset: u16, more: bool, payload: &[u8]) -> Cut {
    Cut { offset, more, payload: payload.to_vec() }
}

fn head_v4(identification: u16, cut: &Cut) -> Vec<u8> {
    let mut packet = ipv4_with(PEER, CARD, UDP, cut.offset / 8 + 0x2000 * u16::from(cut.more), &[], &cut.payload);
    packet[4..6].copy_from_slice(&identification.to_be_bytes());
    packet.truncate(20);
    packet
}

fn accept_v4(reassembly: &mut Reassembly, now: Micros, identification: u16, cut: &Cut) -> Taken {
    let head = head_v4(identification, cut);
    let key =
        Key { source: PEER.into(), destination: CARD.into(), protocol: UDP, identification: identification.into() };
    reassembly.accept(now, &fragment(key, &head, 9, cut))
}

fn fragment<'a>(key: Key, head: &'a [u8], next_header_at: usize, cut: &'a Cut) -> Fragment<'a> {
    Fragment { key, offset: cut.offset, more: cut.more, head, next_header_at, next_header: UDP, payload: &cut.payload }
}

fn accept_v6(reassembly: &mut Reassembly, now: Micros, source: IpAddr, identification: u32, cut: &Cut) -> Taken {
    let head = ipv6(PEER_6, CARD_6, 44, &fragment_6(UDP, cut.offset, cut.more, identification, &[]));
    let key = Key { source, destination: CARD_6.into(), protocol: 0, identification };
    reassembly.accept(now, &fragment(key, &head, 6, cut))
}

fn fresh() -> Reassembly {
    Reassembly::new(Limits::default())
}

fn whole(payload: &[u8]) -> Vec<u8> {
    let mut packet = ipv4_with(PEER, CARD, UDP, 0, &[], payload);
    packet[4..6].copy_from_slice(&[0, 5]);
    packet[10..12].fill(0);
    let checksum = crate::net::specimens::internet_checksum(&[&packet[..20]]);
    packet[10..12].copy_from_slice(&checksum);
    packet
}

#[test]
fn two_fragments_make_the_packet_that_was_cut() {
    let mut reassembly = fresh();
    assert_eq!(accept_v4(&mut reassembly, 0, 5, &cut(0, true, &[1; 16])), Taken::Held);
    let Taken::Complete { packet, fragments } = accept_v4(&mut reassembly, 0, 5, &cut(16, false, &[2; 3])) else {
        panic!("not complete")
    };
    assert_eq!((packet, fragments), (whole(&[&[1; 16][..], &[2; 3]].concat()), 2));
    assert_eq!((reassembly.held(), reassembly.bytes(), reassembly.next_deadline()), (0, 0, None));
}

#[test]
fn an_ipv6_datagram_loses_its_fragment_header() {
    let mut reassembly = fresh();
    let source = PEER_6.into();
    assert_eq!(accept_v6(&mut reassembly, 0, source, 9, &cut(8, false, &[2; 3])), Taken::Held);
    let Taken::Complete { packet, .. } = accept_v6(&mut reassembly, 0, source, 9, &cut(0, true, &[1; 8])) else {
        panic!("not complete")
    };
    assert_eq!(packet, ipv6(PEER_6, CARD_6, UDP, &[1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2]));
}

#[test]
fn an_exact_duplicate_harms_nothing() {
    let mut reassembly = fresh();
    accept_v4(&mut reassembly, 0, 5, &cut(0, true, &[1; 16]));
    assert_eq!(accept_v4(&mut reassembly, 0, 5, &cut(0, true, &[1; 16])), Taken::Dropped(Cause::Duplicate));
    assert!(matches!(accept_v4(&mut reassembly, 0, 5, &cut(16, false, &[2; 3])), Taken::Complete { .. }));
}

#[test]
fn any_other_overlap_discards_the_datagram() {
    for second in [cut(0, true, &[9; 16]), cut(0, true, &[1; 8]), cut(8, true, &[1; 16]), cut(8, false, &[1; 1])] {
        let mut reassembly = fresh();
        accept_v4(&mut reassembly, 0, 5, &cut(0, true, &[1; 16]));
        assert_eq!(accept_v4(&mut reassembly, 0, 5, &second), Taken::Dropped(Cause::Overlap), "{second:?}");
        assert_eq!((reassembly.held(), reassembly.bytes()), (0, 0));
        assert_eq!(reassembly.drops().of(Cause::Overlap), 2);
    }
    let mut reassembly = fresh();
    accept_v4(&mut reassembly, 0, 5, &cut(16, true, &[1; 16]));
    assert_eq!(accept_v4(&mut reassembly, 0, 5, &cut(8, true, &[1; 16])), Taken::Dropped(Cause::Overlap));
    for is_last in [false, true] {
        let mut reassembly = fresh();
        accept_v4(&mut reassembly, 0, 5, &cut(16, is_last, &[1; 16]));
        let other = accept_v4(&mut reassembly, 0, 5, &cut(16, !is_last, &[1; 16]));
        assert_eq!(other, Taken::Dropped(Cause::Overlap), "the same bytes, but not the same end");
    }
}

#[test]
fn later_fragments_of_a_discarded_ipv6_datagram_are_refused_until_its_time_is_over() {
    let mut reassembly = fresh();
    let source = PEER_6.into();
    accept_v6(&mut reassembly, 0, source, 9, &cut(0, true, &[1; 16]));
    assert_eq!(accept_v6(&mut reassembly, 5, source, 9, &cut(8, true, &[2; 16])), Taken::Dropped(Cause::Overlap));
    assert_eq!(accept_v6(&mut reassembly, 9, source, 9, &cut(16, false, &[1; 1])), Taken::Dropped(Cause::Discarded));
    assert_eq!(reassembly.next_deadline(), Some(IPV6_TIMEOUT));
    assert!(reassembly.expire(IPV6_TIMEOUT).is_empty(), "nobody is told of a discarded datagram");
    assert_eq!(accept_v6(&mut reassembly, IPV6_TIMEOUT, source, 9, &cut(0, true, &[1; 16])), Taken::Held);
}

#[test]
fn two_ends_discard_the_datagram() {
    let ends = [
        (cut(16, false, &[1; 3]), cut(24, false, &[1; 3])),
        (cut(16, false, &[1; 3]), cut(24, true, &[1; 8])),
        (cut(16, false, &[1; 3]), cut(8, false, &[1; 8])),
        (cut(16, true, &[1; 8]), cut(8, false, &[1; 8])),
    ];
    for (first, second) in ends {
        let mut reassembly = fresh();
        assert_eq!(accept_v4(&mut reassembly, 0, 5, &first), Taken::Held);
        assert_eq!(accept_v4(&mut reassembly, 0, 5, &second), Taken::Dropped(Cause::Inconsistent), "{second:?}");
    }
}

#[test]
fn fragments_that_cannot_be_true_are_refused_alone() {
    let mut reassembly = fresh();
    for (bad, cause) in [
        (cut(8, true, &[]), Cause::Empty),
        (cut(8, true, &[0; 7]), Cause::Unaligned),
        (cut(65_528, false, &[0; 8]), Cause::TooLong),
        (cut(65_512, false, &[0; 4]), Cause::TooLong),
    ] {
        assert_eq!(accept_v4(&mut reassembly, 0, 5, &bad), Taken::Dropped(cause));
    }
    assert_eq!(accept_v4(&mut reassembly, 0, 5, &cut(65_512, false, &[0; 3])), Taken::Held);
    assert_eq!(accept_v6(&mut reassembly, 0, PEER_6.into(), 5, &cut(65_528, false, &[0; 7])), Taken::Held);
}

#[test]
fn the_first_fragments_options_can_make_a_datagram_too_long() {
    let mut reassembly = fresh();
    for offset in (8192..65_512).step_by(8192) {
        let length = 8192.min(65_512 - offset as usize);
        assert_eq!(accept_v4(&mut reassembly, 0, 5, &cut(offset, true, &alloc::vec![0; length])), Taken::Held);
    }
    assert_eq!(accept_v4(&mut reassembly, 0, 5, &cut(65_512, false, &[0; 3])), Taken::Held);
    let first = cut(0, true, &[0; 8192]);
    let head = ipv4_with(PEER, CARD, UDP, 0x2000, &[1, 1, 1, 1], &[]);
    let key = Key { source: PEER.into(), destination: CARD.into(), protocol: UDP, identification: 5 };
    assert_eq!(reassembly.accept(0, &fragment(key, &head, 9, &first)), Taken::Dropped(Cause::TooLong));
    assert_eq!((reassembly.drops().of(Cause::TooLong), reassembly.bytes()), (9, 0));
}

#[test]
fn tcp_headers_are_not_cut_where_a_filter_looks() {
    let head = head_v4(1, &cut(0, true, &[]));
    let key = Key { source: PEER.into(), destination: CARD.into(), protocol: 6, identification: 1 };
    let check = |offset, length: usize| {
        let payload = alloc::vec![0; length];
        Fragment { key, offset, more: true, head: &head, next_header_at: 9, next_header: 6, payload: &payload }.check()
    };
    assert_eq!([check(0, 8), check(8, 8)], [Err(Cause::Tiny), Err(Cause::Tiny)]);
    assert_eq!([check(0, 16), check(16, 8)], [Ok(()), Ok(())]);
}

#[test]
fn only_who_sent_the_first_fragment_is_told_that_time_is_over() {
    let mut reassembly = fresh();
    let first = cut(0, true, &[1; 16]);
    accept_v4(&mut reassembly, 100, 1, &first);
    accept_v4(&mut reassembly, 200, 2, &cut(8, true, &[1; 16]));
    assert_eq!(reassembly.next_deadline(), Some(100 + IPV4_TIMEOUT));
    assert!(reassembly.expire(99 + IPV4_TIMEOUT).is_empty());
    assert_eq!(reassembly.held(), 2);
    let quote = [&head_v4(1, &first)[..], &[1; 16]].concat();
    assert_eq!(reassembly.expire(200 + IPV4_TIMEOUT), [quote]);
    assert_eq!((reassembly.held(), reassembly.bytes(), reassembly.drops().of(Cause::Expired)), (0, 0, 2));
}

#[test]
fn a_source_evicts_its_own_oldest_and_no_one_elses() {
    let one_fragment = DATAGRAM_CHARGE + FRAGMENT_CHARGE + 1000;
    let limits = Limits { bytes: 10 * one_fragment, source_bytes: 2 * one_fragment, datagrams: 64, fragments: 128 };
    let mut reassembly = Reassembly::new(limits);
    let (one, other) = (PEER_6.into(), CARD_6.into());
    let piece = cut(8, true, &[1; 1000]);
    accept_v6(&mut reassembly, 0, other, 1, &piece);
    for identification in 1..=3 {
        assert_eq!(accept_v6(&mut reassembly, 1, one, identification, &piece), Taken::Held);
    }
    assert_eq!((reassembly.bytes_of(one), reassembly.bytes_of(other)), (2 * one_fragment, one_fragment));
    assert_eq!(reassembly.drops().of(Cause::Evicted), 1);
    // The second and third of `one` are left: their duplicates are known.
    for identification in [2, 3] {
        assert_eq!(accept_v6(&mut reassembly, 1, one, identification, &piece), Taken::Dropped(Cause::Duplicate));
    }
}

#[test]
fn when_all_is_full_the_oldest_goes() {
    let limits = Limits { datagrams: 3, ..Limits::default() };
    let mut reassembly = Reassembly::new(limits);
    for identification in 1..=4 {
        accept_v4(&mut reassembly, 0, identification, &cut(8, true, &[1; 8]));
    }
    assert_eq!((reassembly.held(), reassembly.drops().of(Cause::Evicted)), (3, 1));
    assert_eq!(accept_v4(&mut reassembly, 0, 2, &cut(8, true, &[1; 8])), Taken::Dropped(Cause::Duplicate));
    assert_eq!(accept_v4(&mut reassembly, 0, 1, &cut(8, true, &[1; 8])), Taken::Held);
}

#[test]
fn a_datagram_without_end_uses_up_its_own_share() {
    let limits = Limits { source_bytes: 4000, ..Limits::default() };
    let mut reassembly = Reassembly::new(limits);
    let mut dropped = Vec::new();
    for number in 0..10 {
        if let Taken::Dropped(cause) = accept_v4(&mut reassembly, 0, 5, &cut(number * 800, true, &[1; 800])) {
            dropped.push((number, cause));
        }
        assert!(reassembly.bytes() <= 4000);
    }
    assert_eq!(dropped, [(4, Cause::Room), (9, Cause::Room)]);
    let limits = Limits { fragments: 4, ..Limits::default() };
    let mut reassembly = Reassembly::new(limits);
    for number in 0..4 {
        assert_eq!(accept_v4(&mut reassembly, 0, 5, &cut(number * 8, true, &[1; 8])), Taken::Held);
    }
    assert_eq!(accept_v4(&mut reassembly, 0, 5, &cut(32, true, &[1; 8])), Taken::Dropped(Cause::Fragments));
    assert_eq!(reassembly.held(), 0);
}

/// Cuts a payload at random multiples of eight.
fn cut_at_random(rng: &mut ChaCha8Rng, payload: &[u8]) -> Vec<Cut> {
    let mut cuts = Vec::new();
    let longest = 8 * (1 + below(rng, 180));
    let mut at = 0;
    while at < payload.len() {
        let length = (8 * (1 + below(rng, longest / 8))).max(payload.len() / 800 * 8).min(payload.len() - at);
        cuts.push(cut(at as u16, at + length < payload.len(), &payload[at..at + length]));
        at += length;
    }
    cuts
}

fn shuffle<T>(rng: &mut ChaCha8Rng, items: &mut [T]) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(rng, last + 1));
    }
}

#[test]
fn any_cuts_in_any_order_with_duplicates_give_the_datagram_once() {
    let mut rng = seeded(0x815);
    let limits = Limits { bytes: 1 << 20, source_bytes: 1 << 20, datagrams: 64, fragments: 10_000 };
    let mut reassembly = Reassembly::new(limits);
    let (mut complete, mut pieces, mut duplicates) = (0, 0, 0);
    for round in 0..400_u16 {
        // One in eight is as long as they get: 65,535 less the header.
        let length = if round % 8 == 0 { 65_515 } else { 1 + below(&mut rng, 4000) };
        let payload = random_bytes(&mut rng, length);
        let mut cuts = cut_at_random(&mut rng, &payload);
        let distinct = cuts.len();
        if distinct == 1 {
            continue;
        }
        for _ in 0..below(&mut rng, 4) {
            let again = cuts[below(&mut rng, distinct)].clone();
            cuts.push(again);
        }
        shuffle(&mut rng, &mut cuts);
        // The model: which bytes are there.
        let mut there = alloc::vec![false; length];
        for piece in &cuts {
            let range = piece.offset as usize..piece.offset as usize + piece.payload.len();
            let is_news = !there[range.start];
            there[range].fill(true);
            let all = there.iter().all(|&is_there| is_there);
            match accept_v4(&mut reassembly, 0, round, piece) {
                Taken::Complete { packet, fragments } => {
                    assert!(all && is_news, "too early");
                    assert_eq!(fragments, distinct);
                    assert_eq!(&packet[20..], payload);
                    assert_eq!(crate::net::specimens::internet_checksum(&[&packet[..20]]), [0, 0]);
                    complete += 1;
                    pieces += fragments;
                    break;
                }
                Taken::Held => assert!(is_news && !all),
                Taken::Dropped(cause) => {
                    assert!(!is_news && cause == Cause::Duplicate);
                    duplicates += 1;
                }
            }
        }
    }
    assert_eq!((reassembly.held(), reassembly.bytes()), (0, 0));
    assert_eq!(reassembly.drops().total(), duplicates);
    assert!(complete > 300 && pieces > 10 * complete && duplicates > 200, "{complete} {pieces} {duplicates}");
}

#[test]
fn whatever_comes_is_bounded_and_counted_once() {
    let mut rng = seeded(0x5722);
    let limits = Limits { bytes: 5_000, source_bytes: 1_200, datagrams: 12, fragments: 16 };
    let mut reassembly = Reassembly::new(limits);
    let sources: Vec<IpAddr> = (0..6).map(|low| Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, low).into()).collect();
    let (mut now, mut taken, mut merged, mut first_fragments) = (0, 0, 0, 0);
    for _ in 0..40_000 {
        now += [10_000, 30_000_000][usize::from(below(&mut rng, 50) == 0)];
        first_fragments += reassembly.expire(now).len();
        let length = below(&mut rng, 9) * 8 + [0, 0, 0, 5][below(&mut rng, 4)];
        let payload = alloc::vec![below(&mut rng, 20) as u8 / 19; length];
        let piece = cut(below(&mut rng, 6) as u16 * 32, below(&mut rng, 3) > 0, &payload);
        let source = sources[below(&mut rng, sources.len())];
        let identification = below(&mut rng, 6) as u32;
        taken += 1;
        if let Taken::Complete { fragments, .. } = accept_v6(&mut reassembly, now, source, identification, &piece) {
            merged += fragments as u64;
        }
        assert!(reassembly.bytes() <= limits.bytes);
        assert!(reassembly.bytes_of(source) <= limits.source_bytes);
        assert!(reassembly.datagrams.len() <= limits.datagrams);
        assert_eq!(reassembly.bytes(), reassembly.datagrams.values().map(|datagram| datagram.charge).sum());
        assert_eq!(taken, merged + reassembly.drops().total() + reassembly.held());
    }
    assert_eq!(taken, 40_000);
    let causes: Vec<_> = reassembly.drops().iter().map(|(cause, _)| cause).collect();
    let possible = [
        Cause::Empty,
        Cause::Unaligned,
        Cause::Duplicate,
        Cause::Overlap,
        Cause::Inconsistent,
        Cause::Discarded,
        Cause::Evicted,
    ];
    assert!(possible.iter().all(|cause| causes.contains(cause)), "{causes:?}");
    assert!(merged > 100 && first_fragments > 10, "{merged} {first_fragments}");
    reassembly.expire(now + IPV6_TIMEOUT);
    assert_eq!((reassembly.bytes(), reassembly.held()), (0, 0));
}

/// A datagram as a map of bytes and a list of what came: what RFC 8200, 4.5 says, without any cleverness.
#[derive(Default)]
struct Model {
    came: Vec<Cut>,
    is_discarded: bool,
}

impl Model {
    fn covers(&self, byte: usize) -> bool {
        self.came.iter().any(|cut| (cut.offset as usize..cut.offset as usize + cut.payload.len()).contains(&byte))
    }

    /// The payload if it is whole, or why the fragment is dropped. Ends are below 100.
    fn take(&mut self, new: &Cut) -> Result<Option<Vec<u8>>, Cause> {
        let range = new.offset as usize..new.offset as usize + new.payload.len();
        let is_same = |old: &Cut| (old.offset, old.more, &old.payload) == (new.offset, new.more, &new.payload);
        if self.is_discarded {
            return Err(Cause::Discarded);
        }
        if self.came.iter().any(is_same) {
            return Err(Cause::Duplicate);
        }
        let is_overlap = range.clone().any(|byte| self.covers(byte));
        self.came.push(new.clone());
        let ends: Vec<_> =
            self.came.iter().filter(|cut| !cut.more).map(|cut| cut.offset as usize + cut.payload.len()).collect();
        let is_beyond = ends.iter().any(|&end| (end..100).any(|byte| self.covers(byte)));
        if is_overlap || is_beyond || ends.len() > 1 {
            self.is_discarded = true;
            return Err(if is_overlap { Cause::Overlap } else { Cause::Inconsistent });
        }
        let is_whole = ends.first().is_some_and(|&end| (0..end).all(|byte| self.covers(byte)));
        let mut pieces = self.came.clone();
        pieces.sort_by_key(|cut| cut.offset);
        Ok(is_whole.then(|| pieces.into_iter().flat_map(|cut| cut.payload).collect()))
    }
}

#[test]
fn overlaps_duplicates_and_ends_are_judged_as_the_model_judges_them() {
    let mut rng = seeded(0x8200);
    let (mut complete, mut compared, mut dropped) = (0, 0, Tally::default());
    for identification in 0..4_000 {
        let mut reassembly = fresh();
        let mut model = Model::default();
        for _ in 0..12 {
            let length = 8 * (1 + below(&mut rng, 3)) - [0, 0, 0, 3][below(&mut rng, 4)];
            let more = length.is_multiple_of(8) && below(&mut rng, 4) > 0;
            let payload = alloc::vec![below(&mut rng, 12) as u8 / 11; length];
            let new = cut(8 * below(&mut rng, 6) as u16, more, &payload);
            let taken = accept_v6(&mut reassembly, 0, PEER_6.into(), identification, &new);
            compared += 1;
            match model.take(&new) {
                Err(cause) => {
                    dropped.count(cause);
                    assert_eq!(taken, Taken::Dropped(cause), "{new:?} after {:?}", model.came);
                }
                Ok(None) => assert_eq!(taken, Taken::Held, "{new:?} after {:?}", model.came),
                Ok(Some(payload)) => {
                    let Taken::Complete { packet, .. } = taken else { panic!("{taken:?}") };
                    assert_eq!(packet[40..], payload);
                    complete += 1;
                    break;
                }
            }
        }
    }
    assert!(complete > 200 && compared > 20_000, "{complete} {compared}");
    for cause in [Cause::Duplicate, Cause::Overlap, Cause::Inconsistent, Cause::Discarded] {
        assert!(dropped.of(cause) > 100, "{dropped:?}");
    }
}
