//! What the frames must cover, and that one seed gives one sequence.

use std::collections::BTreeMap;

use super::*;
use crate::reference::{Class, DispatchConfig, DropCause, MAX_FRAME, Malformed, parse, predict};

const FRAMES: usize = 20_000;

fn frames() -> impl Iterator<Item = Vec<u8>> {
    Mutator::new(seed(0x1e57).unwrap()).take(FRAMES)
}

#[test]
fn one_seed_gives_one_sequence() {
    let take = |seed| Mutator::new(seed).take(500).collect::<Vec<_>>();
    assert_eq!(take(7), take(7));
    assert_ne!(take(7), take(8));
}

#[test]
fn lengths_stay_in_their_bounds_and_most_are_short() {
    let mut lengths: Vec<usize> = frames().map(|frame| frame.len()).collect();
    lengths.sort_unstable();
    assert!(lengths[0] >= 1 && lengths[FRAMES - 1] <= MAX_LENGTH);
    assert!(lengths[FRAMES / 2] < 200, "median {}", lengths[FRAMES / 2]);
    assert!(lengths[FRAMES * 9 / 10] < 500, "ninth decile {}", lengths[FRAMES * 9 / 10]);
    println!("median {}, ninth decile {}", lengths[FRAMES / 2], lengths[FRAMES * 9 / 10]);
    let sum: usize = lengths.iter().sum();
    assert!(sum / FRAMES < 400, "mean {}", sum / FRAMES);
    let of = |range: std::ops::RangeInclusive<usize>| lengths.iter().filter(|length| range.contains(length)).count();
    assert!(of(1..=13) > 200 && of(1501..=MAX_FRAME) > 100 && of(MAX_FRAME + 1..=MAX_LENGTH) > 50);
}

#[test]
fn every_class_cause_and_reason_is_met() {
    let config = DispatchConfig::reset(4);
    let mut classes = BTreeMap::new();
    let mut reasons = BTreeMap::new();
    let mut drops = BTreeMap::new();
    for frame in frames() {
        let prediction = predict(&frame, &config);
        *classes.entry(prediction.class).or_insert(0) += 1;
        if let Err(reason) = parse(&frame) {
            *reasons.entry(reason).or_insert(0) += 1;
        }
        if let Some(cause) = prediction.drop {
            *drops.entry(cause).or_insert(0) += 1;
        }
    }
    println!("{classes:?}\n{reasons:?}\n{drops:?}");
    for class in Class::ALL {
        assert!(classes.get(&class).is_some_and(|count| *count >= 200), "{class}: {classes:?}");
    }
    for reason in [
        Malformed::EthernetCut,
        Malformed::TagCut,
        Malformed::Ipv4Content,
        Malformed::Ipv4Cut,
        Malformed::Ipv4TotalLength,
        Malformed::Ipv6Content,
        Malformed::Ipv6Cut,
        Malformed::ExtensionCut,
        Malformed::UpperCut,
    ] {
        assert!(reasons.get(&reason).is_some_and(|count| *count >= 50), "{reason:?}: {reasons:?}");
    }
    assert_eq!(drops.keys().copied().collect::<Vec<_>>(), [DropCause::Runt, DropCause::Oversize]);
}

#[test]
fn headers_end_on_both_sides_of_the_header_depth() {
    // One byte of window more or less decides.
    let mut deciding = 0;
    let mut beyond = 0;
    for frame in frames().filter(|frame| frame.len() >= HEADER_DEPTH) {
        let with = |depth| parse(&frame[..depth]);
        deciding += usize::from(with(HEADER_DEPTH).is_ok() && with(HEADER_DEPTH - 1).is_err());
        beyond += usize::from(matches!(with(HEADER_DEPTH), Err(Malformed::ExtensionCut | Malformed::UpperCut)));
    }
    assert!(deciding > 50 && beyond > 50, "{deciding} decide, {beyond} reach beyond");
}

#[test]
fn packets_before_mutation_are_sound() {
    let mut mutator = Mutator::new(seed(0x50d).unwrap());
    for _ in 0..10_000 {
        let packet = mutator.packet();
        assert!(packet.to_frame().is_ok(), "{packet:?}");
    }
}

#[test]
fn seeds_are_numbers_in_either_base() {
    assert_eq!(parse_seed("42"), Ok(42));
    assert_eq!(parse_seed("0x2a"), Ok(42));
    assert_eq!(parse_seed("18446744073709551615"), Ok(u64::MAX));
    assert_eq!(
        parse_seed("a lucky one").unwrap_err().to_string(),
        "POINTSMAN_SEED=`a lucky one` is no seed; give a number of 64 bits, such as 42 or 0x2a"
    );
}
