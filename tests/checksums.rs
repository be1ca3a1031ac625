//! The card checks IPv4, TCP and UDP checksums of what it receives, and says nothing where it cannot know.

use std::net::IpAddr;

use abi::params::NicParams;
use cosim::mutate::{Mutator, seed};
use cosim::reference::{Check, checks};
use cosim::replay::Replay;
use cosim::source::Pace;
use cosim::vectors::{Extension, ExtensionKind, Packet, Ports, Protocol, Tag, TagKind};

/// Runs the frames through; the model is asked what it expects of how many.
fn run(preset: &str, pace: Pace, frames: &[Vec<u8>]) -> [usize; 5] {
    let mut replay = Replay::new(preset.parse::<NicParams>().unwrap());
    replay.around.pace = pace;
    replay.around.buffers = 200;
    let sent: Vec<_> = frames.iter().map(|bytes| (bytes.clone(), false)).collect();
    let outcome = replay.run(&sent, &mut |_| ()).unwrap();
    assert_eq!(outcome.mismatches, [], "{preset}, {pace:?}");
    assert_eq!(outcome.identical, outcome.delivered);
    let delivered = outcome.frames.iter().filter(|f| f.delivered).map(|f| checks(&frames[f.index]));
    let mut seen = [0; 5];
    for found in delivered {
        for (at, hit) in [
            found.ip == Check::Good,
            found.ip == Check::Bad,
            found.transport == Check::Good,
            found.transport == Check::Bad,
            found.transport == Check::None,
        ]
        .into_iter()
        .enumerate()
        {
            seen[at] += usize::from(hit);
        }
    }
    seen
}

fn packet(ipv6: bool, udp: bool, payload: usize, tags: usize, options: usize) -> Vec<u8> {
    let address = |last: u8| -> IpAddr {
        if ipv6 { format!("2001:db8::{last:x}").parse().unwrap() } else { [192, 0, 2, last].into() }
    };
    let ports = Ports { source: 1000, destination: 53 };
    let extension = Extension { header: ExtensionKind::DestinationOptions, bytes: 8 * options };
    let packet = Packet {
        tags: vec![Tag { kind: TagKind::Customer, id: 5 }; tags],
        source: address(1),
        destination: address(2),
        options: if ipv6 { String::new() } else { "01".repeat(4 * options) },
        extensions: if ipv6 && options > 0 { vec![extension] } else { vec![] },
        protocol: if udp { Protocol::Udp(ports) } else { Protocol::Tcp(ports) },
        payload,
        fragment: None,
    };
    packet.to_frame().unwrap()
}

/// Sound packets of every kind, every payload length around the widths of a beat, then each with one bit flipped.
fn sweep() -> Vec<Vec<u8>> {
    let mut frames = vec![];
    for number in 0..130 {
        let kind = number % 12;
        let frame = packet(kind % 2 == 1, kind / 2 % 2 == 1, number, kind / 4, number % 5);
        let mut flipped = frame.clone();
        let at = 14 + number * 7 % (frame.len() - 14);
        flipped[at] ^= 1 << (number % 8);
        frames.extend([frame, flipped]);
    }
    frames
}

#[test]
fn sound_and_flipped_packets_of_every_kind_are_judged_at_every_width() {
    for preset in ["n4w64", "n4w128", "n4w256", "n16w512"] {
        for pace in [Pace::BackToBack, Pace::Pauses { percent: 40 }] {
            let [ip_good, ip_bad, good, bad, none] = run(preset, pace, &sweep());
            assert!(ip_good > 100 && good > 120, "{preset}: {ip_good} IP and {good} others good");
            assert!(ip_bad > 10 && bad > 60, "{preset}: {ip_bad} IP and {bad} others bad");
            assert!(none > 0, "{preset}");
        }
    }
}

#[test]
fn udp_without_a_checksum_or_with_a_length_of_its_own_is_left_to_software() {
    let mut frames = vec![];
    for ipv6 in [false, true] {
        let start = if ipv6 { 54 } else { 34 };
        for payload in 0..20 {
            let mut frame = packet(ipv6, true, payload, 0, 0);
            frame[start + 6..start + 8].fill(0);
            frames.push(frame);
            let mut frame = packet(ipv6, true, payload, 0, 0);
            frame[start + 5] ^= 4;
            frames.push(frame);
        }
    }
    for preset in ["n4w64", "n16w512"] {
        let [_, _, good, bad, none] = run(preset, Pace::BackToBack, &frames);
        assert_eq!((good, bad, none), (0, 20, 60), "{preset}: only UDP over IPv6 must have a checksum");
    }
}

#[test]
fn ten_thousand_mutated_frames_are_judged_like_the_model_does() {
    let seed = seed(0x1071).unwrap();
    let frames: Vec<_> = Mutator::new(seed).take(10_000).collect();
    for (preset, frames) in [("n4w64", &frames[..]), ("n16w512", &frames[..4000])] {
        let seen = run(preset, Pace::Pauses { percent: 10 }, frames);
        assert!(seen.iter().all(|count| *count > 150), "{preset}: {seen:?}");
    }
}
