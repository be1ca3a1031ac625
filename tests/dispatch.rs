//! Rows 67.4, 68.1 and 68.2: hash and dispatch, on the verilated card.

use std::net::{IpAddr, Ipv4Addr};

use abi::params::NicParams;
use cosim::reference::{DispatchConfig, HashFunction};
use cosim::replay::{Outcome, Replay};
use cosim::vectors::{Fragment, Packet, Ports, Protocol};

const DESTINATION: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));

fn card(preset: &str) -> Replay {
    Replay::new(preset.parse::<NicParams>().unwrap())
}

fn packet(source: [u8; 4], protocol: Protocol, fragment: Option<Fragment>, payload: usize) -> Vec<u8> {
    let packet = Packet {
        tags: vec![],
        source: IpAddr::V4(Ipv4Addr::from(source)),
        destination: DESTINATION,
        options: String::new(),
        extensions: vec![],
        protocol,
        payload,
        fragment,
    };
    packet.to_frame().unwrap()
}

fn tcp(source: [u8; 4], port: u16) -> Vec<u8> {
    packet(source, Protocol::Tcp(Ports { source: port, destination: 80 }), None, 0)
}

/// Runs good frames through and insists on a run without differences.
fn run(replay: &Replay, frames: Vec<Vec<u8>>) -> Outcome {
    let frames: Vec<_> = frames.into_iter().map(|bytes| (bytes, false)).collect();
    let outcome = replay.run(&frames, &mut |_| ()).unwrap();
    assert_eq!(outcome.mismatches, [], "differences between card and model");
    assert_eq!(outcome.identical, frames.len() as u64);
    outcome
}

/// The only processor that got a frame.
fn processor(outcome: &Outcome, frame: usize) -> u8 {
    let got: Vec<u8> = outcome.frames[frame].processors.iter().collect();
    assert_eq!(got.len(), 1, "frame {frame} went to {got:?}");
    got[0]
}

/// XOR of all `bits`-bit groups, written the other way round than the model: bit by bit of the source.
fn xor_by_hand(source: [u8; 4], port: u16, bits: u32) -> u8 {
    let x = u32::from_be_bytes(source) ^ u32::from(port);
    (0..32).filter(|i| x >> i & 1 == 1).fold(0, |hash, i| hash ^ 1 << (i % bits))
}

#[test]
fn row_68_1_xor_of_source_address_and_port_picks_one_of_n_processors() {
    let mut compared = 0;
    for (preset, bits) in [("n2w64", 1), ("n4w64", 2), ("n8w64", 3), ("n16w64", 4), ("n16w512", 4)] {
        let flows: Vec<_> =
            (0..64u16).map(|i| ([10, i as u8, (i * 37) as u8, (i * 11) as u8], 1024 + i * 977)).collect();
        let outcome = run(&card(preset), flows.iter().map(|(source, port)| tcp(*source, *port)).collect());
        for (frame, (source, port)) in flows.iter().enumerate() {
            assert_eq!(processor(&outcome, frame), xor_by_hand(*source, *port, bits), "{preset}, {source:?}:{port}");
            compared += 1;
        }
        assert!(outcome.processors.iter().all(|p| p.frames > 0), "{preset}: some processor got nothing");
    }
    assert_eq!(compared, 5 * 64);
}

#[test]
fn row_68_1_the_example_of_four_processors_worked_by_hand() {
    // 192.0.2.1 = 0xC0000201, port 0x1234: x = 0xC0001035, set bits 0 2 4 5 12 30 31; five even ones and two odd ones: 01.
    // 192.0.2.2 = 0xC0000202, port 0x1234: x = 0xC0001036, set bits 1 2 4 5 12 30 31; four even ones and three odd ones: 10.
    let outcome = run(&card("n4w64"), vec![tcp([192, 0, 2, 1], 0x1234), tcp([192, 0, 2, 2], 0x1234)]);
    assert_eq!([processor(&outcome, 0), processor(&outcome, 1)], [1, 2]);
}

/// All fragments of a UDP datagram of 3,000 bytes in pieces of 1,000.
fn datagram(source: [u8; 4], port: u16, identification: u32) -> Vec<Vec<u8>> {
    let protocol = Protocol::Udp(Ports { source: port, destination: 9 });
    let piece = |offset| packet(source, protocol, Some(Fragment { identification, offset, bytes: 1000 }), 2992);
    [0, 1000, 2000].map(piece).to_vec()
}

#[test]
fn row_68_2_fragments_of_one_datagram_reach_one_processor() {
    for (function, preset) in
        [(HashFunction::Xor, "n4w64"), (HashFunction::Toeplitz, "n4w64"), (HashFunction::Xor, "n16w512")]
    {
        let mut replay = card(preset);
        replay.config.hash.function = function;
        let n = u32::from(replay.config.processors);
        // 32 datagrams of one flow, their fragments interleaved, as they may arrive.
        let datagrams: Vec<_> = (0..32).map(|id| datagram([10, 0, 0, 1], 4000, id * 5 + 3)).collect();
        let frames = (0..3).flat_map(|piece| datagrams.iter().map(move |d| d[piece].clone())).collect();
        let outcome = run(&replay, frames);
        let bits = n.trailing_zeros();
        for id in 0..32 {
            let [first, middle, last] = [0, 1, 2].map(|piece| processor(&outcome, piece * 32 + id));
            assert_eq!((first, middle), (middle, last), "{function}, datagram {id}");
            let identification = (id * 5 + 3) as u32;
            let expected = (0..32).step_by(bits as usize).fold(0, |h, shift| h ^ (identification >> shift) & (n - 1));
            assert_eq!(u32::from(first), expected, "{function}, datagram {id}: the fold of its identification");
        }
        let busy = outcome.processors.iter().filter(|p| p.frames > 0).count() as u32;
        assert!(busy > n / 2, "{function} on {preset}: only {busy} processors got anything");
    }
}

#[test]
fn row_68_2_the_first_fragment_takes_the_fragment_hash_although_it_has_ports() {
    // Flow hash of 10.0.0.1:4001 over four processors: 0x0A000001 ^ 0x0FA1 = 0x0A000FA0 folds to 0; identification 2 folds to 2.
    assert_eq!(xor_by_hand([10, 0, 0, 1], 4001, 2), 0);
    let mut frames = datagram([10, 0, 0, 1], 4001, 2);
    frames.push(tcp([10, 0, 0, 1], 4001));
    let outcome = run(&card("n4w64"), frames);
    assert_eq!([0, 1, 2, 3].map(|frame| processor(&outcome, frame)), [2, 2, 2, 0]);
}

#[test]
fn row_67_4_the_hash_logic_is_programmable_and_dispatches_without_software() {
    let frames: Vec<_> = (0..128u16).map(|i| tcp([10, 0, (i / 8) as u8, i as u8], 5000 + i)).collect();
    let spread = |change: &dyn Fn(&mut DispatchConfig)| {
        let mut replay = card("n4w64");
        change(&mut replay.config);
        let outcome = run(&replay, frames.clone());
        (0..128).map(|frame| processor(&outcome, frame)).collect::<Vec<_>>()
    };
    let reset = spread(&|_| ());
    // The function, the fields, the chunk width and the table each move flows, as the model says they should.
    let toeplitz = spread(&|c| c.hash.function = HashFunction::Toeplitz);
    let one_bit = spread(&|c| c.hash.chunk_bits = 1);
    let drained = spread(&|c| c.reta.iter_mut().filter(|p| **p == 2).for_each(|p| *p = 0));
    assert_ne!(reset, toeplitz);
    assert!(one_bit.iter().all(|p| *p < 2) && reset.iter().any(|p| *p >= 2));
    assert!(drained.iter().all(|p| *p != 2) && reset.contains(&2));
    // A different key moves Toeplitz flows.
    let rekeyed = spread(&|c| {
        c.hash.function = HashFunction::Toeplitz;
        c.hash.key = [0x6d, 0x5a].repeat(20).try_into().unwrap();
    });
    assert_ne!(toeplitz, rekeyed);
}

#[test]
fn address_resolution_reaches_every_processor_and_can_be_kept_to_one() {
    let mut arp = vec![0xff; 6];
    arp.extend([2, 0, 0, 0, 0, 1, 0x08, 0x06]);
    arp.resize(60, 0);
    let mut replay = card("n8w64");
    let outcome = run(&replay, vec![arp.clone()]);
    assert_eq!(outcome.frames[0].processors.len(), 8);
    replay.config.flood_arp = false;
    replay.config.default_processor = 5;
    let outcome = run(&replay, vec![arp]);
    assert_eq!(processor(&outcome, 0), 5);
}
