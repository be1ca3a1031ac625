//! Back-to-back minimum frames go through without a bubble, a drop or a cycle of jitter.

use abi::params::NicParams;
use cosim::replay::Replay;

/// A TCP segment of 60 bytes from a flow of its own.
fn minimum_frame(flow: u16) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend([0x08, 0x00, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0]);
    frame.extend(flow.to_be_bytes());
    frame.extend([10, 9, 9, 9]);
    frame.extend((flow.wrapping_mul(31)).to_be_bytes());
    frame.extend([0, 80]);
    frame.resize(60, flow as u8);
    frame
}

/// As many frames as the buffers hold, at the highest rate; cycles the run took.
fn burst(preset: &str, frames: u16) {
    let params = preset.parse::<NicParams>().unwrap();
    let mut replay = Replay::new(params);
    replay.around.buffers = 200;
    let frames: Vec<_> = (0..frames).map(|flow| (minimum_frame(flow), false)).collect();
    let outcome = replay.run(&frames, &mut |_| ()).unwrap();
    assert_eq!(outcome.mismatches, []);
    assert_eq!((outcome.identical, outcome.dropped_total()), (frames.len() as u64, 0), "{preset}");
    let latency = hdl::nic::latency(params) as u64;
    assert_eq!([outcome.latency.min, outcome.latency.median, outcome.latency.max], [latency; 3], "{preset}");
}

#[test]
fn minimum_frames_of_eight_beats_sustain_the_line_at_64_bits() {
    burst("n4w64", 2_000);
}

#[test]
fn minimum_frames_of_one_beat_sustain_one_frame_a_cycle_at_512_bits() {
    burst("n16w512", 2_000);
}

#[test]
fn minimum_frames_sustain_the_line_at_128_and_256_bits() {
    burst("n4w128", 600);
    burst("n4w256", 600);
}

#[test]
fn latency_is_the_same_for_long_and_deep_headers() {
    use cosim::vectors::{Extension, ExtensionKind, Packet, Ports, Protocol};
    let deep = |bytes: usize| Packet {
        tags: vec![],
        source: "2001:db8::1".parse().unwrap(),
        destination: "2001:db8::2".parse().unwrap(),
        options: String::new(),
        extensions: vec![Extension { header: ExtensionKind::DestinationOptions, bytes }],
        protocol: Protocol::Udp(Ports { source: 1, destination: 2 }),
        payload: 900,
        fragment: None,
    };
    for preset in ["n4w64", "n4w128", "n4w256", "n16w512"] {
        let params = preset.parse::<NicParams>().unwrap();
        let mut frames: Vec<_> = [8, 64, 128].map(|bytes| (deep(bytes).to_frame().unwrap(), false)).to_vec();
        frames.extend((0..20).map(|flow| (minimum_frame(flow), false)));
        let outcome = Replay::new(params).run(&frames, &mut |_| ()).unwrap();
        assert_eq!((outcome.mismatches.len(), outcome.identical), (0, 23));
        let latency = hdl::nic::latency(params) as u64;
        assert_eq!([outcome.latency.min, outcome.latency.max], [latency; 2], "{preset}");
    }
}
