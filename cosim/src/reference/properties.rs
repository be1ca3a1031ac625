//! What holds for every frame, tried on a hundred thousand that lie.

use super::*;
use crate::mutate::{Mutator, seed};

const FRAMES: usize = 100_000;

/// Runs `check` on mutated frames; an assertion in it names the frame's place in the sequence.
fn for_frames(default_seed: u64, mut check: impl FnMut(usize, &[u8])) {
    let mut checked = 0;
    for (index, frame) in Mutator::new(seed(default_seed).unwrap()).take(FRAMES).enumerate() {
        check(index, &frame);
        checked += 1;
    }
    assert_eq!(checked, FRAMES);
}

#[test]
fn any_bytes_get_a_prediction_that_holds_together() {
    let mut config = DispatchConfig { default_processor: 4, ..DispatchConfig::reset(5) };
    config.reta[3] = 5;
    let (mut delivered, mut dropped) = (0, 0);
    for_frames(0xa11, |index, frame| {
        let prediction = predict(frame, &config);
        let Prediction { class, hash, processors, drop, checks } = prediction;
        assert_eq!(processors.is_empty(), drop.is_some(), "frame {index}");
        assert!(processors.iter().all(|processor| processor < 5), "frame {index}");
        assert!(hash < 8, "frame {index}: three bits for five processors");
        match class {
            Class::Other | Class::Arp | Class::Malformed => assert_eq!(hash, 0, "frame {index}"),
            Class::Ip | Class::Tcp | Class::Udp | Class::Fragment | Class::Nd => {}
        }
        match class {
            Class::Tcp | Class::Udp => {}
            Class::Ip | Class::Fragment => assert_eq!(checks.transport, Check::None, "frame {index}"),
            _ => assert_eq!(checks, Checks::default(), "frame {index}"),
        }
        let expected = match drop {
            Some(DropCause::Runt) => frame.len() < 14,
            Some(DropCause::Oversize) => frame.len() > 9216,
            Some(DropCause::NoProcessor) => hash == 3,
            Some(_) => false,
            None if class == Class::Arp || class == Class::Nd => processors.len() == 5,
            None if class == Class::Other || class == Class::Malformed => processors == Processors::one(4),
            None => processors == Processors::one((hash % 5) as u8),
        };
        assert!(expected, "frame {index}: {prediction:?}");
        match drop {
            None => delivered += 1,
            Some(_) => dropped += 1,
        }
    });
    assert!(delivered > FRAMES / 2 && dropped > FRAMES / 100, "{delivered} delivered, {dropped} dropped");
    assert_eq!(delivered + dropped, FRAMES);
}

#[test]
fn nothing_beyond_the_header_depth_counts() {
    let mut compared = 0;
    for_frames(0xdeb, |index, frame| {
        if frame.len() > HEADER_DEPTH {
            assert_eq!(parse(frame), parse(&frame[..HEADER_DEPTH]), "frame {index}");
            compared += 1;
        }
    });
    assert!(compared > FRAMES / 10, "{compared}");
}

#[test]
fn headers_once_read_do_not_change_when_bytes_follow() {
    // A frame that is read whole is read the same with anything behind it: cut-through hardware
    // decides before it knows the length.
    let mut compared = 0;
    for_frames(0xc07, |index, frame| {
        let Ok(packet) = parse(frame) else { return };
        let longer = [frame, &[0xff; 200]].concat();
        assert_eq!(parse(&longer), Ok(packet), "frame {index}");
        compared += 1;
    });
    assert!(compared > FRAMES / 2, "{compared}");
}

#[test]
fn a_tag_changes_nothing_but_the_reach() {
    let mut compared = 0;
    for_frames(0x7a6, |index, frame| {
        let (Ok(packet), Some(kind)) = (parse(frame), frame.get(12..14)) else { return };
        let tagged_already = kind == [0x81, 0x00] || kind == [0x88, 0xa8];
        if tagged_already {
            return;
        }
        for tag in [[0x81, 0x00, 0x00, 0x01], [0x88, 0xa8, 0xff, 0xff]] {
            let tagged = [&frame[..12], &tag, &frame[12..]].concat();
            // Four bytes of the header depth go to the tag; what still fits reads the same.
            let fits = parse(&frame[..frame.len().min(HEADER_DEPTH - 4)]) == Ok(packet);
            assert_eq!(parse(&tagged) == Ok(packet), fits, "frame {index}");
            compared += 1;
        }
    });
    assert!(compared > FRAMES / 2, "{compared}");
}

#[test]
fn fragments_have_one_hash_under_every_function() {
    let xor = HashConfig::reset(16);
    let toeplitz = HashConfig { function: HashFunction::Toeplitz, ..xor.clone() };
    let mut compared = 0;
    for_frames(0xf4a6, |index, frame| {
        let Ok(Packet::Flow(flow)) = parse(frame) else { return };
        if flow.class() == Class::Fragment {
            assert_eq!(hash(&flow, &xor), hash(&flow, &toeplitz), "frame {index}");
            compared += 1;
        }
    });
    assert!(compared > FRAMES / 20, "{compared}");
}
