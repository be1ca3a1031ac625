//! The ports table on each block's page is its datasheet: it lists exactly the ports that are emitted, with direction and width.

use std::collections::BTreeMap;

use abi::params::NicParams;
use hdl::emit::{Direction, Emitted, emit};
use hdl::memory::{Collision, Memory};

/// Name, direction, width; the number of an array's element is `*`.
type Port = (String, String, usize);

/// Values of the parameters that the tables name, in the instances emitted here.
const PARAMETERS: [(&str, usize); 12] = [
    ("W", 64),
    ("W/8", 8),
    ("N", 4),
    ("CHUNK", 58),
    ("WINDOW", 89),
    ("WIDTH", 24),
    ("ADDRESS", 5),
    ("ADDRESS + 1", 6),
    ("LEVEL", 6),
    ("DEPTH", 32),
    ("A", 12),
    ("SIDE", 128),
];

fn documented(page: &str) -> Vec<Port> {
    let rows = page.lines().filter_map(|line| line.strip_prefix("//! | `"));
    rows.map(|row| {
        let mut cells = row.split('|').map(str::trim);
        let name = cells.next().expect("a name").trim_end_matches('`');
        let direction = cells.next().expect("a direction").to_string();
        let width = cells.next().expect("a width").trim_matches('`');
        let known = PARAMETERS.iter().find(|(parameter, _)| *parameter == width).map(|(_, value)| *value);
        let width = known.unwrap_or_else(|| width.parse().unwrap_or_else(|_| panic!("{name}: width `{width}`")));
        let name = match name.rsplit_once('_') {
            Some((array, index)) if ["i", "j", "k", "c", "d", "s"].contains(&index) => format!("{array}_*"),
            _ => name.to_string(),
        };
        (name, direction, width)
    })
    .collect()
}

fn emitted(design: &Emitted) -> Vec<Port> {
    let mut ports = BTreeMap::new();
    for port in &design.ports {
        if ["clock", "reset"].contains(&port.name.as_str()) {
            continue;
        }
        let name = match port.name.rsplit_once('_') {
            Some((array, index)) if index.bytes().all(|b| b.is_ascii_digit()) => format!("{array}_*"),
            _ => port.name.clone(),
        };
        let direction = if port.direction == Direction::Input { "in" } else { "out" };
        ports.insert(name, (direction.to_string(), port.width));
    }
    ports.into_iter().map(|(name, (direction, width))| (name, direction, width)).collect()
}

macro_rules! pages {
    ($($file:literal: $block:expr),+ $(,)?) => {
        [$(($file, include_str!(concat!("../src/", $file, ".rs")), emit(&mut $block, "top").expect($file))),+]
    };
}

#[test]
fn ports_tables_list_exactly_the_emitted_ports() {
    let params: NicParams = "n4w64".parse().unwrap();
    let blocks = pages![
        "aligner": hdl::aligner::Aligner::<64, 8>::new(1, 1 << 13),
        "arbiter": hdl::arbiter::Arbiter::new(4),
        "checksum": hdl::checksum::Checksum::<64, 8>::default(),
        "checksum_plan": hdl::checksum_plan::ChecksumPlan::default(),
        "classifier": hdl::classifier::Classifier::<64, 58, 89>::new(4),
        "completer": hdl::completer::Completer::<64, 8>::new(4),
        "completion_sender": hdl::completion_sender::CompletionSender::<64>::default(),
        "concat": hdl::concat::Concat::<4>::default(),
        "core_port": hdl::core_port::CorePort::new(4),
        "csr": hdl::csr::Csr::new(params),
        "cycle_counter": hdl::cycle_counter::CycleCounter::default(),
        "delay": hdl::delay::Delay::<24>::new(8),
        "delay_line": hdl::delay_line::DelayLine::<24>::new(3),
        "descriptor_port": hdl::descriptor_port::DescriptorPort::<12>::new(0xC0),
        "dispatch": hdl::dispatch::Dispatch::<64, 8>::new(4),
        "dma": hdl::dma::Dma::<64, 8>::new(4),
        "dma_channel": hdl::dma_channel::DmaChannel::default(),
        "dma_completion": hdl::dma_completion::DmaCompletion::<64>::default(),
        "dma_copy": hdl::dma_copy::DmaCopy::<64, 8>::default(),
        "dma_descriptors": hdl::dma_descriptors::DmaDescriptors::new(4),
        "dma_fill": hdl::dma_fill::DmaFill::<64, 8>::default(),
        "dma_header": hdl::dma_header::DmaHeader::default(),
        "dma_issue": hdl::dma_issue::DmaIssue::new(5),
        "dma_judge": hdl::dma_judge::DmaJudge::default(),
        "dma_read": hdl::dma_read::DmaRead::default(),
        "dma_reports": hdl::dma_reports::DmaReports::new(5),
        "dma_retire": hdl::dma_retire::DmaRetire::new(4),
        "dma_start": hdl::dma_start::DmaStart::new(4),
        "dma_tag": hdl::dma_tag::DmaTag::default(),
        "dma_windows": hdl::dma_windows::DmaWindows::default(),
        "flow_hash": hdl::flow_hash::FlowHash::<58, 89>::default(),
        "fold": hdl::fold::Fold::default(),
        "frame_buffer": hdl::frame_buffer::FrameBuffer::<64, 8>::default(),
        "frame_gate": hdl::frame_gate::FrameGate::new(256, hdl::frame_gate::Side::Poster),
        "frame_ledger": hdl::frame_ledger::FrameLedger::new(256),
        "frame_region": hdl::frame_region::FrameRegion::new(256),
        "header_walk": hdl::header_walk::HeaderWalk::default(),
        "interrupt_controller": hdl::interrupt_controller::InterruptController::default(),
        "lane_mask": hdl::lane_mask::LaneMask::<64, 8>::default(),
        "levels": hdl::levels::Levels::default(),
        "memory": Memory::<24, 5>::new(32, Collision::OldData),
        "memory_arbiter": hdl::memory_arbiter::MemoryArbiter::<64, 8>::new(4),
        "memory_stream": hdl::memory_stream::MemoryStream::<64, 8>::new(1, 1 << 16),
        "message_bus": hdl::message_bus::MessageBus::new(4),
        "message_queue": hdl::message_queue::MessageQueue::new(4),
        "mfa_pair": hdl::mfa_pair::MfaPair::new(256),
        "mfa_queue": hdl::mfa_queue::MfaQueue::new(256),
        "mfa_queues": hdl::mfa_queues::MfaQueues::new(4, 256),
        "msix": hdl::msix::Msix::new(12),
        "msix_vector": hdl::msix_vector::MsixVector::default(),
        "network_words": hdl::network_words::NetworkWords::<64>::default(),
        "next_header": hdl::next_header::NextHeaderDecode::default(),
        "nic": hdl::nic::Nic::<64, 8, 58, 89>::new(params),
        "pairs_from": hdl::pairs_from::PairsFrom::<8>::default(),
        "parser": hdl::parser::Parser::<64>::default(),
        "queue": hdl::queue::Queue::<24, 5, 6>::default(),
        "receive_sums": hdl::receive_sums::ReceiveSums::<64, 8>::default(),
        "register_file": hdl::register_file::RegisterFile::<12>::new(&abi::csr::CORE, 4, &[]),
        "register_master": hdl::register_master::RegisterMaster::<64>::default(),
        "repeat": hdl::repeat::Repeat::<64>::default(),
        "request_decode": hdl::request_decode::RequestDecode::<64>::new(4),
        "request_steps": hdl::request_steps::RequestSteps::<64>::default(),
        "reta": hdl::reta::Reta::new(4),
        "stats": hdl::stats::Stats::new(64, &[1, 33]),
        "stream": hdl::stream::FrameIngress::<64, 8>::default(),
        "tlp_egress": hdl::tlp_egress::TlpEgress::<64>::default(),
        "tlp_ingress": hdl::tlp_ingress::TlpIngress::<64>::default(),
        "skid_buffer": hdl::skid_buffer::SkidBuffer::<64, 128>::default(),
        "toeplitz": hdl::toeplitz::Toeplitz::<58, 89>::default(),
        "transmit": hdl::transmit::Transmit::<64, 8>::new(4),
        "transmit_sums": hdl::transmit_sums::TransmitSums::<64, 8>::default(),
        "tx_drain": hdl::tx_drain::TxDrain::<64, 8>::new(4096),
        "tx_scheduler": hdl::tx_scheduler::TxScheduler::new(4),
        "verdict_queue": hdl::verdict_queue::VerdictQueue::new(4),
        "window_writer": hdl::window_writer::WindowWriter::<64, 8>::default(),
        "word_decode": hdl::word_decode::WordDecode::default(),
    ];
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap();
    let pages = files.filter(|f| f.as_ref().unwrap().file_type().unwrap().is_file()).count() - 1;
    assert_eq!(blocks.len(), pages, "every file of src but lib.rs is a block and stands in this test");

    let mut compared = 0;
    for (file, page, design) in blocks {
        let mut table = documented(page);
        table.sort();
        assert_eq!(table, emitted(&design), "{file}.rs: the ports table (left) against the emitted ports (right)");
        compared += table.len();
    }
    assert!(compared > 200, "only {compared} ports compared");
}

#[test]
fn every_number_of_processors_and_every_width_elaborates() {
    // Every number at one width, and the ends at the others: what depends on both is only how wide the memory ports are.
    let narrow = (2..=16).map(|n| (n, 64));
    let wide = NicParams::WIDTHS.into_iter().skip(1).flat_map(|w| [2, 16].map(|n| (n, w)));
    let mut elaborated = 0;
    for (processors, width) in narrow.chain(wide) {
        let params = NicParams::new(processors, width).unwrap();
        let design = hdl::nic::emit_nic(params).unwrap_or_else(|e| panic!("{params}: {e}"));
        let memories = design.ports.iter().filter(|p| p.name.starts_with("mem_wdata_")).count();
        assert_eq!(memories, processors, "{params}");
        elaborated += 1;
    }
    assert_eq!(elaborated, 21);
}

#[test]
fn emission_is_the_same_text_every_time() {
    let params: NicParams = "n8w64".parse().unwrap();
    let [first, second] = [(); 2].map(|()| hdl::nic::emit_nic(params).unwrap().verilog);
    assert_eq!(first, second);
}
