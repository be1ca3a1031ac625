//! `pointsman hash`: the card's hash against golden vectors, and for any packet.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

use ::cosim::reference::{DispatchConfig, HashFunction, predict};
use ::cosim::vectors::{self, Fragment, Packet, Ports, Protocol, SHIPPED, Vector, parse_hex};
use ::cosim::verify::{Verdict, verify};
use abi::limits::{KEY_BYTES, MAX_PROCESSORS, MIN_PROCESSORS};
use clap::{Args, Subcommand};
use serde::Serialize;

use crate::cosim::to_json;
use crate::failure::Failure;
use crate::output;

/// Subcommands of `pointsman hash`.
#[derive(Subcommand)]
pub enum Command {
    /// Feed golden vectors to the card as frames and compare class, hash and processors.
    Verify(Verify),
    /// Compute one packet's hash, by the model and by the card, side by side.
    Compute(Compute),
}

/// Options of `pointsman hash verify`.
#[derive(Args)]
pub struct Verify {
    /// Vector files (JSON, see tests/vectors/README.md); the shipped ones if none is given.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    vectors: Vec<PathBuf>,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// Options of `pointsman hash compute`.
#[derive(Args)]
pub struct Compute {
    /// Source address.
    #[arg(long)]
    src: String,
    /// Destination address.
    #[arg(long)]
    dst: String,
    /// Source port.
    #[arg(long, value_name = "PORT")]
    sport: Option<u16>,
    /// Destination port.
    #[arg(long, value_name = "PORT")]
    dport: Option<u16>,
    /// tcp, udp, or a protocol number; tcp if a port is given, else 253 (no ports).
    #[arg(long)]
    proto: Option<String>,
    /// The packet is a fragment with this identification (decimal, or hexadecimal with 0x).
    #[arg(long, value_name = "ID")]
    frag_id: Option<String>,
    /// xor or toeplitz.
    #[arg(long, default_value = "xor")]
    function: String,
    /// Toeplitz key, 80 hexadecimal digits; the key of Microsoft's verification suite if absent.
    #[arg(long)]
    key: Option<String>,
    /// Number of processors, 2 to 16.
    #[arg(long, default_value_t = 4)]
    processors: u8,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

/// Runs a subcommand.
pub fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Verify(arguments) => run_verify(arguments),
        Command::Compute(arguments) => run_compute(arguments),
    }
}

/// One line of `verify --json`.
#[derive(Serialize)]
struct Checked<'a> {
    file: &'a str,
    name: &'a str,
    class: String,
    hash: String,
    processors: String,
    pass: bool,
}

fn run_verify(arguments: &Verify) -> Result<(), Failure> {
    let files: Vec<(String, Vec<Vector>)> = if arguments.vectors.is_empty() {
        SHIPPED
            .iter()
            .map(|(name, text)| Ok((name.to_string(), vectors::read(*name, text.as_bytes())?)))
            .collect::<Result<_, Failure>>()?
    } else {
        arguments
            .vectors
            .iter()
            .map(|file| Ok((file.display().to_string(), vectors::load(file)?)))
            .collect::<Result<_, Failure>>()?
    };
    let all: Vec<Vector> = files.iter().flat_map(|(_, vectors)| vectors.iter().cloned()).collect();
    let names = files.iter().flat_map(|(file, vectors)| vectors.iter().map(move |v| (file.as_str(), v)));
    let verdicts = verify(&all)?;
    let passed = all.iter().zip(&verdicts).filter(|(vector, verdict)| verdict.agrees_with(vector)).count();

    if arguments.json {
        let checked = names.zip(&verdicts).map(|((file, vector), verdict)| Checked {
            file,
            name: &vector.name,
            class: verdict.class.to_string(),
            hash: format!("{:#010x}", verdict.hash),
            processors: verdict.processors.to_string(),
            pass: verdict.agrees_with(vector),
        });
        let vectors: Vec<_> = checked.collect();
        let summary = serde_json::json!({ "vectors": vectors, "passed": passed, "failed": all.len() - passed });
        output::print(&format!("{summary}\n"));
    } else {
        let mut text = String::new();
        for ((file, vector), verdict) in names.zip(&verdicts) {
            let _ = writeln!(text, "{}", line(file, vector, verdict));
        }
        let _ = writeln!(text, "\n{} vectors: {passed} passed, {} failed", all.len(), all.len() - passed);
        output::print(&text);
    }
    if passed == all.len() {
        return Ok(());
    }
    Err(Failure::Check(format!("{} of {} vectors failed on the card", all.len() - passed, all.len())))
}

fn line(file: &str, vector: &Vector, verdict: &Verdict) -> String {
    let said = format!("{:<9} {:#010x} to {}", verdict.class, verdict.hash, verdict.processors);
    if verdict.agrees_with(vector) {
        format!("ok    {file}: {:<52} {said}", vector.name)
    } else {
        let expected = format!("{} {:#010x} to {}", vector.class, vector.hash, vector.processors);
        format!("FAIL  {file}: {:<52} {said}; expected {expected}", vector.name)
    }
}

fn wrong(option: &'static str, value: &str, problem: impl ToString) -> Failure {
    Failure::Option { option, value: value.to_string(), problem: problem.to_string() }
}

fn address(option: &'static str, text: &str) -> Result<IpAddr, Failure> {
    text.parse().map_err(|_| wrong(option, text, "no IP address; write it as 192.0.2.1 or 2001:db8::1"))
}

fn protocol(arguments: &Compute) -> Result<Protocol, Failure> {
    let ports = Ports { source: arguments.sport.unwrap_or(0), destination: arguments.dport.unwrap_or(0) };
    let has_ports = arguments.sport.is_some() || arguments.dport.is_some();
    let name = arguments.proto.as_deref().unwrap_or(if has_ports { "tcp" } else { "253" });
    match name {
        "tcp" | "6" => Ok(Protocol::Tcp(ports)),
        "udp" | "17" => Ok(Protocol::Udp(ports)),
        _ if has_ports => Err(wrong("--proto", name, "only tcp and udp have ports; leave --sport and --dport out")),
        _ => match name.parse() {
            // Numbers that would change how the packet is walked stand for themselves only as headers.
            Ok(0 | 43 | 44 | 60) => Err(wrong("--proto", name, "an IPv6 extension header, not a protocol")),
            Ok(number) => Ok(Protocol::Other(number)),
            Err(_) => Err(wrong("--proto", name, "give tcp, udp, or a number from 0 to 255")),
        },
    }
}

fn identification(text: &str) -> Result<u32, Failure> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.map_err(|_| wrong("--frag-id", text, "give a number of at most 32 bits, decimal or with 0x"))
}

fn key(text: &str) -> Result<[u8; KEY_BYTES], Failure> {
    let bytes = parse_hex(text).map_err(|e| wrong("--key", text, e))?;
    let length = bytes.len();
    bytes.try_into().map_err(|_| wrong("--key", text, format!("{length} bytes; the Toeplitz key has {KEY_BYTES}")))
}

/// A payload that lets every fragment be a true piece of a longer datagram.
const FRAGMENT_BYTES: usize = 64;

fn run_compute(arguments: &Compute) -> Result<(), Failure> {
    if !(MIN_PROCESSORS..=MAX_PROCESSORS).contains(&usize::from(arguments.processors)) {
        return Err(wrong("--processors", &arguments.processors.to_string(), "a card has 2 to 16"));
    }
    let mut config = DispatchConfig::reset(arguments.processors);
    config.hash.function =
        HashFunction::from_str(&arguments.function).map_err(|e| wrong("--function", &arguments.function, e))?;
    if let Some(text) = &arguments.key {
        config.hash.key = key(text)?;
    }
    let fragment = arguments.frag_id.as_deref().map(identification).transpose()?;
    let packet = Packet {
        tags: Vec::new(),
        source: address("--src", &arguments.src)?,
        destination: address("--dst", &arguments.dst)?,
        options: String::new(),
        extensions: Vec::new(),
        protocol: protocol(arguments)?,
        payload: 2 * FRAGMENT_BYTES,
        fragment: fragment.map(|identification| Fragment { identification, offset: 0, bytes: FRAGMENT_BYTES }),
    };
    let frame =
        packet.to_frame().map_err(|e| wrong("packet", &format!("{} to {}", arguments.src, arguments.dst), e))?;
    let model = predict(&frame, &config);
    let vector = Vector {
        name: "compute".to_string(),
        comment: Vec::new(),
        config,
        frame,
        class: model.class,
        hash: model.hash,
        processors: model.processors,
    };
    let card = verify(std::slice::from_ref(&vector))?.remove(0);
    let agree = card.agrees_with(&vector);

    if arguments.json {
        #[derive(Serialize)]
        struct Answer {
            class: String,
            hash: String,
            processors: Vec<u8>,
        }
        let answer =
            |class: String, hash: u32, processors: Vec<u8>| Answer { class, hash: format!("{hash:#010x}"), processors };
        let model = answer(model.class.to_string(), model.hash, model.processors.iter().collect());
        let card = answer(card.class.to_string(), card.hash, card.processors.iter().collect());
        output::print(&format!("{{\"model\":{},\"card\":{},\"agree\":{agree}}}\n", to_json(&model), to_json(&card)));
    } else {
        output::print(&format!(
            "         class      hash        processor\nmodel    {:<9}  {:#010x}  {}\ncard     {:<9}  {:#010x}  {}\n",
            model.class, model.hash, model.processors, card.class, card.hash, card.processors
        ));
    }
    if agree { Ok(()) } else { Err(Failure::Check("the card and the model disagree".to_string())) }
}
