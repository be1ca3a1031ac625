//! ¶67: IGMP is connectionless, so any processor may handle it. All of them are in the group, and the link hears of it once.

use std::net::Ipv4Addr;
use std::rc::Rc;

use etherparse::{IpNumber, PacketBuilder};
use soft_cores::net::ip;
use soft_cores::net::port::{Cause, Taken};
use soft_cores::net_kernel::{self, NetKernel};

use super::{Failed, Play, Scenario, Setting, Stage, Table};
use crate::clients::raw::{Path, RawSender, SharedRawSender, udp_datagram};
use crate::native::Native;

pub(super) const SCENARIO: Scenario = Scenario {
    name: "igmp",
    about: "All processors are in one multicast group; whoever a router's query hashes to reports it for the card, once.",
    takes_mode: true,
    run,
};

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);
/// A group that nobody has joined.
const OTHER_GROUP: Ipv4Addr = Ipv4Addr::new(239, 9, 9, 9);
const ALL_SYSTEMS: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 1);
const STATION: [u8; 6] = [0x02, 0, 0, 3, 0, 0];

/// Types of IGMP (RFC 2236, 2.1).
const QUERY: u8 = 0x11;
const REPORT: u8 = 0x16;
const LEAVE: u8 = 0x17;

/// Kernels' microseconds are cycles here, or a query's shortest time to answer, a tenth of a second, would be 12,500,000 cycles.
const CYCLES_PER_MICRO: u64 = 1;
/// Cycles in which a query is answered: the tenth of a second, and what the work takes.
const WINDOW: u64 = 110_000;
/// Cycles in which kernels start and say so.
const START: u64 = 30_000;
/// Cycles in which a few frames are handled.
const MOMENT: u64 = 10_000;
/// Cycles from one look at what the card says to the next.
const STEP: u64 = 500;
const DATAGRAMS: usize = 8;

/// The Ethernet address of a group (RFC 1112, 6.4).
fn group_address(group: Ipv4Addr) -> [u8; 6] {
    let [_, b, c, d] = group.octets();
    [0x01, 0, 0x5e, b & 0x7f, c, d]
}

/// An IGMP message (RFC 2236, 2); `most` is the time to answer, in tenths of a second.
fn igmp(from: Ipv4Addr, to: Ipv4Addr, kind: u8, most: u8, group: Ipv4Addr) -> Vec<u8> {
    let mut message = [&[kind, most, 0, 0][..], &group.octets()].concat();
    let sum: u32 = message.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    message[2..4].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    let builder = PacketBuilder::ethernet2(STATION, group_address(to)).ipv4(from.octets(), to.octets(), 1);
    let mut frame = Vec::with_capacity(64);
    // A vector takes all that is written to it.
    let _ = builder.write(&mut frame, IpNumber::IGMP, &message);
    frame
}

/// Type and group of an IGMP message in a frame.
fn igmp_in(frame: &[u8]) -> Option<(u8, Ipv4Addr)> {
    if frame.get(12..14)? != [8, 0] || *frame.get(23)? != 2 {
        return None;
    }
    let message = frame.get(14 + usize::from(frame[14] & 0x0f) * 4..)?;
    let group: [u8; 4] = message.get(4..8)?.try_into().ok()?;
    Some((message[0], group.into()))
}

/// An address of 10.9.0.0/16 that hashes to this processor, the `nth` of them.
fn address_for(play: &Play, processor: usize, nth: usize) -> Ipv4Addr {
    let candidates = (1..=u16::MAX).map(|number| {
        let [high, low] = number.to_be_bytes();
        Ipv4Addr::new(10, 9, high, low)
    });
    let mut fitting = candidates.filter(|&from| play.hashed(&query(from)) == [processor]);
    // The hash spreads addresses over all processors.
    fitting.nth(nth).unwrap_or(Ipv4Addr::new(10, 9, 0, 1))
}

/// A router asks who is in which group.
fn query(from: Ipv4Addr) -> Vec<u8> {
    igmp(from, ALL_SYSTEMS, QUERY, 1, Ipv4Addr::UNSPECIFIED)
}

/// The play, and what is known of it.
struct Link {
    play: Play,
    sender: SharedRawSender,
    /// The sender's number among the clients.
    number: usize,
    /// What the card said of the group: when, and which type.
    said: Vec<(u64, u8)>,
    /// Its ICMP messages.
    errors: u64,
}

impl Link {
    fn send(&mut self, frame: Vec<u8>) {
        self.sender.borrow_mut().send(frame);
        self.play.system.wake_client(self.number);
    }

    /// Lets time pass, and listens to what comes out of the card.
    fn run(&mut self, cycles: u64) -> Result<(), Failed> {
        self.play.run(cycles)?;
        for passing in self.play.take_frames().iter().filter(|passing| !passing.to_card) {
            if let Some((kind, GROUP)) = igmp_in(&passing.bytes) {
                self.said.push((passing.cycle, kind));
            }
            self.errors += u64::from(passing.bytes[12..14] == [8, 0] && passing.bytes[23] == 1);
        }
        Ok(())
    }

    /// When the card said this since a cycle.
    fn since(&self, cycle: u64, kind: u8) -> Vec<u64> {
        self.said.iter().filter(|it| it.0 >= cycle && it.1 == kind).map(|it| it.0).collect()
    }

    /// By processor: what transports were given, and what was for another host.
    fn taken(&mut self) -> Result<Vec<(u64, u64)>, Failed> {
        self.play.look_at_all(|net| {
            net.look(|stack| {
                let counters = stack.port().counters();
                (counters.taken.of(Taken::Transport), counters.dropped.of(Cause::Ip(ip::Cause::NotOurs)))
            })
        })
    }
}

/// The application's processor joins, and tells the others.
fn join(processor: usize, net: &NetKernel<Native>) {
    if processor == 0 {
        // The scenario looks at who is in the group.
        let _ = net.with_stack(|stack, now| stack.join(now, GROUP.into()));
    }
}

fn leave(processor: usize, net: &NetKernel<Native>) {
    if processor == 0 {
        net.with_stack(|stack, now| stack.leave(now, GROUP.into()));
    }
}

/// Without IPv6, whose groups would be reported too.
fn program(config: &mut net_kernel::Config) {
    config.port.addresses.ipv6.clear();
    config.cycles_per_micro = CYCLES_PER_MICRO;
}

fn run(stage: &mut Stage) -> Result<(), Failed> {
    let setting = Setting { program, prepare: Rc::new(join), ..Setting::default() };
    let mut play = stage.open("", setting)?;
    play.keep_frames();
    let sender = RawSender::new(STATION, Vec::new()).shared();
    let number = play.system.add_client(sender.clone());
    let mut link = Link { play, sender, number, said: Vec::new(), errors: 0 };

    let mut reports = joined(stage, &mut link)?;
    reports += queries(stage, &mut link)?;
    reports += silence(stage, &mut link)?;
    datagrams(stage, &mut link)?;
    left(stage, &mut link)?;
    stage.check(link.since(0, REPORT).len() == reports, "no report was sent beside those")?;
    stage.check(link.errors == 0, "nothing that came by multicast was answered with an error (RFC 1122, 3.2.2)")?;
    stage.close(link.play)
}

/// The reports of the join.
fn joined(stage: &mut Stage, link: &mut Link) -> Result<usize, Failed> {
    link.run(START)?;
    let (reports, processors) = (link.since(0, REPORT).len(), link.play.processors());
    stage.tell(
        &link.play,
        format_args!(
            "{GROUP} is joined on processor 0, and all {processors} are in it; reports on the link: {reports}"
        ),
    );
    // RFC 2236, 3 has it repeated within 10 seconds, which may be now.
    stage.check((1..=2).contains(&reports), "the join is reported by one processor for all")?;
    Ok(reports)
}

/// A query to each processor; the reports.
fn queries(stage: &mut Stage, link: &mut Link) -> Result<usize, Failed> {
    let mut table = Table::new("Queries", ["router", "hashed to", "reports", "reported by", "after cycles"]);
    let processors = link.play.processors();
    for processor in 0..processors {
        let router = address_for(&link.play, processor, 0);
        let (asked, before) = (link.play.cycles(), link.play.sent());
        link.send(query(router));
        while link.since(asked, REPORT).is_empty() && link.play.cycles() < asked + WINDOW {
            link.run(STEP)?;
        }
        link.run(MOMENT)?;
        let answers = link.since(asked, REPORT);
        let after = link.play.sent();
        let by: Vec<_> = (0..processors).filter(|&one| after[one] > before[one]).collect();
        let delay = answers.first().map_or(0, |answer| answer - asked);
        stage.tell(
            &link.play,
            format_args!(
                "router {router} asks; its address hashes to processor {processor}, which reports for the card after {delay} cycles"
            ),
        );
        table.row([&router, &processor, &answers.len(), &format_args!("{by:?}"), &delay]);
        stage.check(
            answers.len() == 1 && by == [processor],
            format_args!("the query that hashes to processor {processor} is reported once, by that processor"),
        )?;
    }
    link.play.recording.tables.push(table);
    Ok(processors)
}

/// Another member's report comes the same way as the query: RFC 2236, 3 has the card keep silent.
fn silence(stage: &mut Stage, link: &mut Link) -> Result<usize, Failed> {
    let (router, neighbour) = (address_for(&link.play, 1, 1), address_for(&link.play, 1, 2));
    let asked = link.play.cycles();
    link.send(query(router));
    link.send(igmp(neighbour, GROUP, REPORT, 0, GROUP));
    link.run(WINDOW)?;
    let answers = link.since(asked, REPORT);
    stage.tell(
        &link.play,
        format_args!("router {router} asks, and {neighbour} reports the group; reports of the card: {}", answers.len()),
    );
    // The delay that the card drew may have been shorter than the other report's way.
    stage.check(answers.iter().all(|&at| at < asked + MOMENT), "the card says nothing that another member has said")?;
    Ok(answers.len())
}

/// Datagrams to the group, and to another one.
fn datagrams(stage: &mut Stage, link: &mut Link) -> Result<(), Failed> {
    let before = link.taken()?;
    let processors = link.play.processors();
    let mut expected = vec![0; processors];
    for number in 0..DATAGRAMS {
        let from = address_for(&link.play, number % processors, 3 + number / processors);
        let frame = datagram(from, GROUP);
        link.play.hashed(&frame).iter().for_each(|&home| expected[home] += 1);
        link.send(frame);
        link.send(datagram(from, OTHER_GROUP));
    }
    link.run(MOMENT * DATAGRAMS as u64)?;
    let after = link.taken()?;
    let both = || after.iter().zip(&before);
    let grown: Vec<u64> = both().map(|(after, before)| after.0 - before.0).collect();
    let refused: u64 = both().map(|(after, before)| after.1 - before.1).sum();
    stage.tell(
        &link.play,
        format_args!(
            "{DATAGRAMS} datagrams to the group are taken where they hash to: {grown:?} by processor; {refused} to {OTHER_GROUP} are dropped"
        ),
    );
    stage.check(
        grown == expected,
        "a datagram to the group is taken by the processor that it hashes to, whichever it is",
    )?;
    stage.check(refused == DATAGRAMS as u64, "a datagram to another group is taken by none")
}

/// The group is left, and asked for once more.
fn left(stage: &mut Stage, link: &mut Link) -> Result<(), Failed> {
    let (left, processors) = (link.play.cycles(), link.play.processors());
    for processor in 0..processors {
        link.play.look(processor, move |net| leave(processor, net))?;
    }
    link.run(MOMENT)?;
    let router = address_for(&link.play, processors - 1, 0);
    link.send(query(router));
    link.run(WINDOW)?;
    let (leaves, late) = (link.since(left, LEAVE).len(), link.since(left, REPORT).len());
    stage.tell(
        &link.play,
        format_args!(
            "the group is left; messages that say so: {leaves}; router {router} asks again, and hears {late} reports"
        ),
    );
    stage.check(leaves == 1, "the group is left with one message")?;
    stage.check(late == 0, "a group that was left is not reported")
}

fn datagram(from: Ipv4Addr, group: Ipv4Addr) -> Vec<u8> {
    let to = group_address(group);
    let path = Path { from: (STATION, from), to: (to, group) };
    [&to[..], &STATION, &[8, 0], &udp_datagram(path, (5000, 5000), b"to all of you")].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::CARD_IPV4;

    #[test]
    fn a_query_is_these_bytes() {
        // RFC 2236, 2: type 0x11, a tenth of a second, checksum, no group: 0x1101 + 0xeefe is 0xffff.
        let frame = query(Ipv4Addr::new(10, 9, 0, 1));
        assert_eq!(frame[..14], [1, 0, 0x5e, 0, 0, 1, 2, 0, 0, 3, 0, 0, 8, 0]);
        assert_eq!((frame[22], frame[23], &frame[26..34]), (1, 2, &[10, 9, 0, 1, 224, 0, 0, 1][..]));
        assert_eq!(frame[34..], [0x11, 1, 0xee, 0xfe, 0, 0, 0, 0]);
        assert_eq!(igmp_in(&frame), Some((QUERY, Ipv4Addr::UNSPECIFIED)));
        let report = igmp(CARD_IPV4, GROUP, REPORT, 0, GROUP);
        assert_eq!(report[..6], [1, 0, 0x5e, 1, 2, 3]);
        assert_eq!(igmp_in(&report), Some((REPORT, GROUP)));
        assert_eq!(igmp_in(&report[..40]), None);
    }
}
