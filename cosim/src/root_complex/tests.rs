//! A card of a few lines stands on the other side: it answers reads of its BARs and sends what a test gives it.

use std::collections::BTreeMap;

use super::*;
use crate::tlp::{Completion, Status, TlpError, payload_bytes};

const CARD: u16 = 0x0100;

/// The card: bytes behind BAR2, TLPs to send, TLPs that came.
struct Card {
    bytes: Vec<u8>,
    assembler: Assembler,
    beat_bytes: usize,
    outgoing: VecDeque<Beat>,
    received: Vec<(Header, Vec<u8>)>,
    answers: bool,
}

impl Card {
    fn new(beat_bytes: usize) -> Self {
        Self {
            bytes: vec![0; 1 << 16],
            assembler: Assembler::new(beat_bytes),
            beat_bytes,
            outgoing: VecDeque::new(),
            received: Vec::new(),
            answers: true,
        }
    }

    fn send(&mut self, tlp: &Tlp) {
        let (header, payload) = tlp.encode();
        self.outgoing.extend(beats(&header, &payload, 0, self.beat_bytes));
    }

    fn take(&mut self, beat: &Beat) {
        let Some((header, payload)) = self.assembler.push(beat).expect("the host keeps headers") else { return };
        self.received.push((header, payload.clone()));
        let Ok(tlp) = Tlp::decode(&header, &payload) else { return };
        match tlp.kind {
            Kind::Write(request, data) => {
                let base = request.address as usize & 0xffff;
                for (b, byte) in data.iter().enumerate().filter(|(b, _)| request.enables(b / 4) >> (b % 4) & 1 == 1) {
                    self.bytes[base + b] = *byte;
                }
            }
            Kind::Read(request) if self.answers => {
                let (mut at, total) = (0, request.bytes());
                while at < total {
                    let start = (request.address as usize & 0xffff) + request.skipped() + at;
                    let upto = ((start | 127) + 1).min(start + total - at);
                    let data = self.bytes[start & !3..upto.next_multiple_of(4)].to_vec();
                    let completion = Completion {
                        completer: CARD,
                        requester: request.requester,
                        tag: request.tag,
                        status: Status::Successful,
                        bytes: total - at,
                        lower: start as u8 & 0x7f,
                        locked: false,
                        data,
                    };
                    self.send(&Tlp::plain(Kind::Completion(completion)));
                    at += upto - start;
                }
            }
            _ => {}
        }
    }
}

/// Runs host and card until both are quiet; every beat the card sends stays until it is taken.
fn run(host: &mut RootComplex, card: &mut Card, cycle: &mut u64) -> Result<(), Violation> {
    let mut idle = 0;
    while idle < 20 {
        let drive = host.drive(*cycle);
        let rx_ready = !(*cycle).is_multiple_of(3);
        let tx = card.outgoing.front().copied();
        if let Some(beat) = drive.rx.filter(|_| rx_ready) {
            card.take(&beat);
        }
        if tx.is_some() && drive.tx_ready {
            card.outgoing.pop_front();
        }
        host.sample(*cycle, rx_ready, tx.as_ref())?;
        *cycle += 1;
        idle = if host.quiet() && card.outgoing.is_empty() { idle + 1 } else { 0 };
        assert!(*cycle < 300_000, "wedged");
    }
    Ok(())
}

fn request(tag: u16, address: u64, length: usize) -> Request {
    Request::of(CARD, tag, address, length)
}

fn busy_host(beat_bytes: usize, seed: u64) -> Config {
    Config {
        beat_bytes,
        seed,
        latency: 5..=90,
        reorder: true,
        split: 40,
        rx_pause: 20,
        tx_pause: 30,
        ..Config::default()
    }
}

/// What the completions of one read brought, by the rules of PCIe alone: bytes, status.
fn gather(received: &[(Header, Vec<u8>)], request: &Request) -> (Vec<u8>, Vec<Status>) {
    let (mut bytes, mut statuses) = (Vec::new(), Vec::new());
    for (header, payload) in received {
        let Ok(Tlp { kind: Kind::Completion(c), .. }) = Tlp::decode(header, payload) else { continue };
        if c.tag != request.tag {
            continue;
        }
        let left = request.bytes() - bytes.len();
        assert_eq!(c.bytes, left);
        assert_eq!(u64::from(c.lower), (request.address + (request.skipped() + bytes.len()) as u64) & 0x7f);
        let lead = usize::from(c.lower) % 4;
        let length = (c.data.len().saturating_sub(lead)).min(left);
        bytes.extend_from_slice(&c.data[lead.min(c.data.len())..][..length]);
        let end = request.address + (request.skipped() + bytes.len()) as u64;
        assert!(bytes.len() == request.bytes() || end.is_multiple_of(64) || c.status != Status::Successful);
        statuses.push(c.status);
    }
    (bytes, statuses)
}

#[test]
fn the_host_reads_back_what_it_wrote_at_any_place_and_length() {
    let mut compared = 0;
    for beat_bytes in [8, 64] {
        let mut host = RootComplex::new(busy_host(beat_bytes, 3));
        let (mut card, mut cycle) = (Card::new(beat_bytes), 0);
        let mut expected = BTreeMap::new();
        for (n, (offset, length)) in
            [(0x10u64, 4usize), (0x21, 1), (0x33, 2), (0xffe, 5), (0x2003, 700), (0x3000, 4096), (0x5000, 0)]
                .iter()
                .enumerate()
        {
            let bytes: Vec<u8> = (0..*length).map(|b| (b * 3 + n) as u8).collect();
            host.write(2, *offset, &bytes);
            expected.insert(host.read(cycle, 2, *offset, *length), bytes);
        }
        run(&mut host, &mut card, &mut cycle).expect("the card keeps the rules");
        for answer in host.take_answers() {
            assert_eq!(answer.result.as_ref().ok(), expected.get(&answer.ticket), "{answer:?}");
            assert!(answer.queued <= answer.sent && answer.sent < answer.cycle);
            compared += 1;
        }
    }
    assert_eq!(compared, 14);
}

#[test]
fn the_card_reads_what_stands_in_the_hosts_memory_in_pieces_and_in_any_order() {
    let (mut compared, mut out_of_order, mut in_pieces) = (0, 0, 0);
    for (beat_bytes, seed) in [(8, 1), (16, 2), (32, 3), (64, 4)] {
        let mut host = RootComplex::new(busy_host(beat_bytes, seed));
        let (mut card, mut cycle) = (Card::new(beat_bytes), 0);
        let bytes: Vec<u8> = (0..8192u32).map(|b| ((b * b) >> 3) as u8).collect();
        host.memory_mut().write(0x9_0000_0000, &bytes);
        let requests: Vec<Request> = (0..32u16)
            .map(|tag| request(tag, 0x9_0000_0000 + u64::from(tag) * 201, 1 + usize::from(tag) * 13))
            .filter(|r| r.address % 4096 + r.dws as u64 * 4 <= 4096)
            .collect();
        requests.iter().for_each(|r| card.send(&Tlp::plain(Kind::Read(*r))));
        run(&mut host, &mut card, &mut cycle).expect("the card keeps the rules");
        for r in &requests {
            let (found, statuses) = gather(&card.received, r);
            let start = (r.address - 0x9_0000_0000) as usize + r.skipped();
            assert_eq!(found, bytes[start..start + r.bytes()], "{r:x?}");
            in_pieces += usize::from(statuses.len() > 1);
            compared += 1;
        }
        let tags: Vec<u32> = card.received.iter().map(|(h, _)| h[2] >> 8 & 0xff).collect();
        out_of_order += tags.windows(2).filter(|t| t[0] > t[1]).count();
        assert_eq!(host.traffic().reads, requests.len() as u64);
    }
    assert!(compared > 110 && out_of_order > 20 && in_pieces > 30, "{compared} {out_of_order} {in_pieces}");
}

#[test]
fn the_cards_writes_land_where_they_are_open_and_interrupts_are_told() {
    let mut host = RootComplex::new(Config { tx_pause: 50, ..Config::default() });
    let (mut card, mut cycle) = (Card::new(8), 0);
    host.memory_mut().open(0x1001..0x1006);
    host.set_interrupt_range(0xfee0_0000..0xfef0_0000);
    let write = |address, bytes: &[u8]| {
        let r = request(0, address, bytes.len());
        let mut data = vec![0xcc; r.dws * 4];
        data[r.skipped()..][..bytes.len()].copy_from_slice(bytes);
        Tlp::plain(Kind::Write(r, data))
    };
    card.send(&write(0x1001, &[1, 2, 3, 4, 5]));
    card.send(&write(0xfee0_0010, &0x4021u32.to_le_bytes()));
    run(&mut host, &mut card, &mut cycle).expect("the card keeps the rules");
    assert_eq!(host.memory().bytes(0x1000, 7), [0, 1, 2, 3, 4, 5, 0]);
    let interrupts = host.take_interrupts();
    assert_eq!((interrupts.len(), interrupts[0].address, interrupts[0].data), (1, 0xfee0_0010, 0x4021));
    assert_eq!((host.traffic().writes, host.traffic().interrupts), (1, 1));

    card.send(&write(0x1005, &[6, 7]));
    let violation = run(&mut host, &mut card, &mut cycle).expect_err("byte 0x1006 is not open");
    assert!(matches!(violation.breach, Breach::Stray(stray) if stray.first == 0x1006), "{violation}");
}

#[test]
fn every_rule_that_the_card_breaks_is_found() {
    let whole = |r: Request| vec![0; r.dws * 4];
    let read = |r: Request| Tlp::plain(Kind::Read(r));
    let write = |r: Request| Tlp::plain(Kind::Write(r, whole(r)));
    let fine = request(1, 0x1000, 64);
    let completion = Completion {
        completer: CARD,
        requester: 0,
        tag: 0,
        status: Status::Successful,
        bytes: 8,
        lower: 4,
        locked: false,
        data: vec![0; 8],
    };
    let answer = |change: &dyn Fn(&mut Completion)| {
        let mut c = completion.clone();
        change(&mut c);
        Tlp::plain(Kind::Completion(c))
    };
    let poisoned = |mut tlp: Tlp| {
        tlp.attributes.poisoned = true;
        tlp
    };
    let other_class = |mut tlp: Tlp| {
        tlp.attributes.traffic_class = 3;
        tlp
    };
    // Every case ends with a TLP that breaks a rule; the host has a read of 8 bytes at 0x104 under way.
    let cases: Vec<(&str, Vec<Tlp>)> = vec![
        ("requester 0x0108", vec![read(Request { requester: 0x0108, ..fine })]),
        ("traffic class 3", vec![other_class(read(fine))]),
        ("poisoned", vec![poisoned(write(fine))]),
        ("4 KiB boundary", vec![read(request(1, 0xff0, 32))]),
        ("illegal byte enables", vec![read(Request { last: 0, ..fine })]),
        ("512 are allowed", vec![read(request(1, 0x1000, 516))]),
        ("at most 256", vec![write(request(1, 0x1000, 260))]),
        ("tag 0x20", vec![read(Request { tag: 32, ..fine })]),
        ("tag 0x1 is in use", vec![read(fine), read(fine)]),
        ("is not open to it", vec![write(fine)]),
        ("not one whole DW", vec![write(request(0, 0xfee0_0000, 8))]),
        ("not one whole DW", vec![write(request(0, 0xfee0_0001, 2))]),
        ("another type", vec![Tlp::plain(Kind::Other([0x0200_0001, 0x0100_000f, 0, 0], vec![]))]),
        ("which asked nothing", vec![answer(&|c| c.tag = 1)]),
        ("which asked nothing", vec![answer(&|c| c.requester = 8)]),
        ("which asked nothing", vec![answer(&|_| {}), answer(&|_| {})]),
        ("completer ID", vec![answer(&|c| c.completer = 0)]),
        ("byte count", vec![answer(&|c| c.bytes = 12)]),
        ("lower address", vec![answer(&|c| c.lower = 0)]),
        ("payload", vec![answer(&|c| c.data = vec![0; 12])]),
        ("the end of its payload", vec![answer(&|c| c.data = vec![0; 4])]),
        ("payload of a refusal", vec![answer(&|c| c.status = Status::Unsupported)]),
        ("traffic class is 0x3", vec![other_class(answer(&|_| {}))]),
        ("poisoned", vec![poisoned(answer(&|_| {}))]),
    ];
    let mut found = 0;
    for (text, tlps) in cases {
        let mut host = RootComplex::new(Config { latency: 100..=100, ..Config::default() });
        host.set_interrupt_range(0xfee0_0000..0xfef0_0000);
        let (mut card, mut cycle) = (Card::new(8), 0);
        card.answers = false;
        host.read(0, 2, 0x104, 8);
        for _ in 0..4 {
            let drive = host.drive(cycle);
            host.sample(cycle, true, None).expect("nothing was sent");
            assert!(cycle != 0 || drive.rx.is_some());
            cycle += 1;
        }
        tlps.iter().for_each(|tlp| card.send(tlp));
        let violation = run(&mut host, &mut card, &mut cycle).expect_err(text);
        assert!(violation.to_string().contains(text), "{violation} has no `{text}`");
        found += 1;
    }
    assert_eq!(found, 24);
}

#[test]
fn a_beat_that_goes_away_or_changes_and_a_read_without_answer_are_found() {
    let beat = beats(&[0x0000_0001, 0x0100_000f, 0x1000, 0], &[], 0, 8)[0];
    for second in [None, Some(Beat { last: false, ..beat })] {
        let mut host = RootComplex::new(Config { tx_pause: 100, ..Config::default() });
        host.drive(0);
        host.sample(0, true, Some(&beat)).expect("it may wait");
        host.drive(1);
        let violation = host.sample(1, true, second.as_ref()).expect_err("it changed");
        assert_eq!(violation, Violation { cycle: 1, breach: Breach::Unstable });
    }
    let mut host = RootComplex::new(Config { patience: 50, ..Config::default() });
    host.read(0, 0, 0x30, 4);
    let mut found = None;
    for cycle in 0..60 {
        host.drive(cycle);
        found = found.or(host.sample(cycle, true, None).err());
    }
    assert!(
        matches!(found, Some(Violation { cycle: 51, breach: Breach::Unanswered { tag: 0, sent: 0, .. } })),
        "{found:?}"
    );
}

#[test]
fn every_fault_comes_when_it_is_asked_for() {
    let mut seen = 0;
    for fault in Fault::ALL {
        for seed in 0..6 {
            let faults = Faults { places: vec![(0x2000..0x3000, fault)], delay: 500, ..Faults::default() };
            let mut host = RootComplex::new(Config { latency: 10..=10, seed, faults, ..Config::default() });
            let (mut card, mut cycle) = (Card::new(8), 0);
            let spared = request(2, 0x1000, 300);
            let hit = request(3, 0x2010, 300);
            card.send(&Tlp::plain(Kind::Read(hit)));
            card.send(&Tlp::plain(Kind::Read(spared)));
            run(&mut host, &mut card, &mut cycle).expect("the card keeps the rules");
            assert_eq!(gather(&card.received, &spared).0.len(), 300, "{fault:?}");
            let fated = host.take_fated();
            assert_eq!((fated.len(), fated[0].request, fated[0].fault), (1, hit, fault));

            let of_hit: Vec<_> = card.received.iter().filter(|(h, _)| h[2] == 0x0100_0300 | h[2] & 0x7f).collect();
            let decoded: Vec<_> = of_hit.iter().map(|(h, p)| Tlp::decode(h, p)).collect();
            let completions: Vec<&Completion> = decoded
                .iter()
                .filter_map(|t| match t {
                    Ok(Tlp { kind: Kind::Completion(c), .. }) => Some(c),
                    _ => None,
                })
                .collect();
            let whole = |c: &[&Completion]| c.iter().map(|c| c.data.len()).sum::<usize>() == 300;
            let shows = match fault {
                Fault::Unsupported => completions.last().is_some_and(|c| c.status == Status::Unsupported),
                Fault::Aborted => completions.last().is_some_and(|c| c.status == Status::Aborted),
                Fault::Poisoned => {
                    decoded.iter().filter(|t| t.as_ref().is_ok_and(|t| t.attributes.poisoned)).count() == 1
                }
                Fault::WrongLength => {
                    decoded.iter().filter(|t| matches!(t, Err(TlpError::Length { .. }))).count() == 1
                        && of_hit.iter().map(|(h, _)| payload_bytes(h)).sum::<usize>() == 300
                }
                Fault::WrongCount => {
                    let mut left = 300;
                    let sound = completions.iter().all(|c| {
                        let place = 0x2010 + 300 - left;
                        left -= c.data.len().min(left);
                        c.bytes == left + c.data.len() && usize::from(c.lower) == place & 0x7f
                    });
                    !sound || left != 0
                }
                Fault::Stray => {
                    whole(&completions)
                        && card.received.len() == completions.len() + gather(&card.received, &spared).1.len() + 1
                }
                Fault::Dropped => of_hit.is_empty(),
                Fault::Delayed => whole(&completions) && cycle > 500,
                Fault::Duplicated => {
                    completions.len() >= 2
                        && completions[completions.len() - 2..][0] == completions[completions.len() - 1]
                }
            };
            assert!(shows, "{fault:?} with seed {seed}: {decoded:x?}");
            seen += 1;
        }
    }
    assert_eq!(seen, 54);
}

#[test]
fn faults_by_chance_come_as_often_as_they_should() {
    let rates = vec![(Fault::Unsupported, 1000), (Fault::Poisoned, 3000)];
    let faults = Faults { rates, ..Faults::default() };
    let mut host = RootComplex::new(Config { latency: 0..=0, faults, ..Config::default() });
    let (mut card, mut cycle) = (Card::new(8), 0);
    for round in 0..50 {
        (0..20).for_each(|tag| card.send(&Tlp::plain(Kind::Read(request(tag, 0x1000 * round, 4)))));
        run(&mut host, &mut card, &mut cycle).expect("the card keeps the rules");
    }
    let fated = host.take_fated();
    let count = |fault| fated.iter().filter(|f| f.fault == fault).count();
    assert!((60..150).contains(&count(Fault::Unsupported)), "{} of 1000", count(Fault::Unsupported));
    assert!((240..360).contains(&count(Fault::Poisoned)), "{} of 1000", count(Fault::Poisoned));
}

#[test]
fn a_completion_does_not_pass_the_hosts_earlier_writes() {
    let mut held_back = 0;
    for seed in 0..20 {
        let mut host = RootComplex::new(Config { latency: 0..=5, seed, rx_pause: 30, ..Config::default() });
        let (mut card, mut cycle) = (Card::new(8), 0);
        for n in 0..20u8 {
            host.write(2, u64::from(n) * 64, &[n; 64]);
        }
        card.send(&Tlp::plain(Kind::Read(request(1, 0x1000, 64))));
        run(&mut host, &mut card, &mut cycle).expect("the card keeps the rules");
        let completion = card.received.iter().position(|(h, _)| h[0] >> 24 == 0x4a).expect("it was answered");
        assert_eq!(completion, 20, "behind all writes");
        held_back += 1;
    }
    assert_eq!(held_back, 20);
}

#[test]
fn what_the_card_must_refuse_is_asked_as_it_is() {
    let mut host = RootComplex::new(Config::default());
    // IORd with traffic class 0, refused with UR by hand.
    let ticket = host.ask_raw(0, [0x0200_0001, 0x0000_000f, 0xcfc, 0], vec![], 0);
    let drive = host.drive(0);
    let beat = drive.rx.expect("nothing pauses it");
    assert_eq!((beat.header, beat.last), ([0x0200_0001, 0x0000_000f, 0xcfc, 0], true));
    host.sample(0, true, None).expect("nothing was sent");
    host.drive(1);
    let refusal = beats(&[0x0a00_0000, 0x0100_2004, 0x0000_0000, 0], &[], 0, 8)[0];
    host.sample(1, true, Some(&refusal)).expect("it is a sound refusal");
    let answers = host.take_answers();
    assert_eq!((answers.len(), answers[0].ticket, answers[0].result.clone()), (1, ticket, Err(Status::Unsupported)));
    assert!(host.quiet());
}

#[test]
fn the_same_seed_gives_the_same_cycles() {
    let record = |seed| {
        let rates = Fault::ALL.iter().filter(|f| **f != Fault::Dropped).map(|f| (*f, 300)).collect();
        let faults = Faults { rates, delay: 50, ..Faults::default() };
        let mut host = RootComplex::new(Config { faults, ..busy_host(16, seed) });
        let (mut card, mut cycle) = (Card::new(16), 0);
        (0..30).for_each(|tag| card.send(&Tlp::plain(Kind::Read(request(tag, 0x1003, 500)))));
        run(&mut host, &mut card, &mut cycle).expect("the card keeps the rules");
        (cycle, card.received)
    };
    assert_eq!(record(7), record(7));
    assert_ne!(record(7), record(8));
}
