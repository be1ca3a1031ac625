//! The shipped vectors against the reference model, and files that are refused.

use std::collections::BTreeMap;

use super::*;
use crate::reference::{HashFields, HashFunction, HashTypes, MICROSOFT_KEY, predict};

fn shipped(name: &str) -> Vec<Vector> {
    let (_, json) = SHIPPED.iter().find(|(file, _)| *file == name).unwrap();
    read(name, json.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

/// Compares the model with every vector; returns how many were compared.
fn agree(vectors: &[Vector]) -> usize {
    for vector in vectors {
        let predicted = predict(&vector.frame, &vector.config);
        assert_eq!(predicted.class, vector.class, "{vector}");
        assert_eq!(predicted.hash, vector.hash, "{vector}");
        assert_eq!(predicted.processors, vector.processors, "{vector}");
        assert_eq!(predicted.drop, None, "{vector}");
    }
    vectors.len()
}

#[test]
fn the_model_gives_the_sixteen_hashes_microsoft_published() {
    // The hashes of learn.microsoft.com, "Verifying the RSS Hash Calculation", in the page's order.
    let published = [
        0x323e8fc2, 0x51ccc178, 0xd718262a, 0xc626b0ea, 0xd2d0a5de, 0x5c2b394a, 0x82989176, 0xafc7327f, 0x5d1809c5,
        0x10e828a2, 0x2cc18cd5, 0x40207d3d, 0x0f0c461c, 0xdde51bbf, 0x4b61e985, 0x02d1feef,
    ];
    let vectors = shipped("rss-microsoft.json");
    assert_eq!(vectors.iter().map(|vector| vector.hash).collect::<Vec<_>>(), published);
    assert_eq!(agree(&vectors), 16);
}

#[test]
fn the_model_agrees_with_the_xor_vectors_worked_by_hand() {
    let vectors = shipped("xor.json");
    assert_eq!(agree(&vectors), 26);
    let of_size = |processors| vectors.iter().filter(|vector| vector.config.processors == processors).count();
    assert_eq!([2, 3, 4, 5, 7, 8, 13, 16].map(of_size), [2, 1, 8, 1, 1, 6, 1, 6]);
    let ipv6 = vectors.iter().filter(|vector| vector.frame[12..14] == [0x86, 0xdd]).count();
    assert_eq!(ipv6, 4);
    // Worked out means: every vector that is hashed says how, step by step.
    for vector in vectors.iter().filter(|vector| ![Class::Arp, Class::Other].contains(&vector.class)) {
        assert!(vector.comment.iter().any(|line| line.starts_with("x = ")), "{vector}");
        assert!(vector.comment.len() >= 6, "{vector}");
    }
}

#[test]
fn fragments_of_one_datagram_reach_one_processor() {
    let vectors = shipped("fragments.json");
    assert_eq!(agree(&vectors), 32);
    let mut datagrams: BTreeMap<&str, Vec<&Vector>> = BTreeMap::new();
    for vector in vectors.iter().filter(|vector| vector.name.contains(" datagram ")) {
        let (datagram, _) = vector.name.split_once(": ").unwrap();
        datagrams.entry(datagram).or_default().push(vector);
    }
    let mut compared = 0;
    for (datagram, pieces) in datagrams.iter().filter(|(_, pieces)| pieces.len() > 1) {
        assert_eq!(pieces.len(), 3, "{datagram}");
        for piece in pieces {
            assert_eq!(piece.class, Class::Fragment, "{piece}");
            assert_eq!((piece.hash, piece.processors), (pieces[0].hash, pieces[0].processors), "{piece}");
            compared += 1;
        }
    }
    assert_eq!(compared, 8 * 3);
    let hash = |datagram: &str| datagrams[datagram][0].hash;
    for (one, other) in [("IPv4 datagram A", "IPv4 datagram B"), ("IPv6 datagram C", "IPv6 datagram D")] {
        assert_ne!(hash(one), hash(other), "{one} and {other} should part");
    }
    for datagram in ["IPv4 datagram A", "IPv6 datagram C"] {
        assert_eq!(hash(datagram), hash(&format!("{datagram} under toeplitz")));
    }
    assert_ne!(hash("IPv4 datagram A with addresses"), hash("IPv4 datagram of another host with addresses"));
}

#[test]
fn tagged_packets_have_the_hash_of_the_untagged_one() {
    let vectors = shipped("vlan.json");
    assert_eq!(agree(&vectors), 27);
    let mut groups: BTreeMap<&str, Vec<&Vector>> = BTreeMap::new();
    for vector in &vectors {
        let (group, tags) = vector.name.split_once(": ").unwrap();
        if tags != "three tags" && group != "ARP" {
            groups.entry(group).or_default().push(vector);
        }
    }
    assert_eq!(groups.len(), 5);
    for pieces in groups.values() {
        assert_eq!(pieces.len(), 5);
        for piece in pieces {
            let untagged = (pieces[0].class, pieces[0].hash, pieces[0].processors);
            assert_eq!((piece.class, piece.hash, piece.processors), untagged, "{piece}");
        }
        // One tag is four bytes more, two are eight.
        let lengths: Vec<usize> = pieces.iter().map(|piece| piece.frame.len() - pieces[0].frame.len()).collect();
        assert_eq!(lengths, [0, 4, 4, 8, 8]);
    }
}

#[test]
fn a_wrong_vector_is_noticed() {
    let wrong: [fn(&mut Vector); 4] = [
        |vector| vector.hash ^= 1,
        |vector| vector.class = Class::Udp,
        |vector| vector.processors = Processors::first(16),
        |vector| vector.config.hash.key[0] ^= 1,
    ];
    for change in wrong {
        let mut vectors = shipped("rss-microsoft.json");
        change(&mut vectors[1]);
        assert!(std::panic::catch_unwind(|| agree(&vectors)).is_err());
    }
}

#[test]
fn every_shipped_file_is_listed_and_no_other_is_there() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors");
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut there: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "json")).collect();
    there.sort();
    let mut listed: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
    listed.sort();
    let names: Vec<&str> = there.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, listed);
    for path in there {
        assert!(!load(&path).unwrap().is_empty());
    }
}

/// One vector, with these members in place of its own.
fn one(function: &str, config: &str, frame: &str, expect: &str) -> String {
    let vector =
        format!(r#""name": "v", "function": "{function}", "config": {config}, "frame": {frame}, "expect": {expect}"#);
    format!(r#"{{ "vectors": [{{ {vector} }}] }}"#)
}

const FRAME: &str = r#"{ "bytes": "020000000001 020000000002 88cc" }"#;
const EXPECT: &str = r#"{ "class": "other", "hash": "0x0", "processors": [0] }"#;

fn refused(json: &str) -> String {
    read("v.json", json.as_bytes()).expect_err("the file should be refused").to_string()
}

#[test]
fn every_register_can_be_set() {
    let config = r#"{ "processors": 5, "chunk_bits": 6, "key": "KEY", "fields": ["destination_address", "destination_port"],
        "types": ["udp"], "fragment_addresses": true }"#;
    let config = config.replace("KEY", &"a5".repeat(40));
    let vectors = read("v.json", one("toeplitz", &config, FRAME, EXPECT).as_bytes()).unwrap();
    let mut expected = DispatchConfig::reset(5);
    expected.hash.function = HashFunction::Toeplitz;
    expected.hash.chunk_bits = 6;
    expected.hash.key = [0xa5; 40];
    expected.hash.fields = HashFields(0b1010);
    expected.hash.types = HashTypes(0b10);
    expected.hash.fragment_addresses = true;
    assert_eq!(vectors[0].config, expected);

    let vectors = read("v.json", one("xor", "{}", FRAME, EXPECT).as_bytes()).unwrap();
    assert_eq!(vectors[0].config, DispatchConfig::reset(4));
    assert_eq!(vectors[0].config.hash.key, MICROSOFT_KEY);
}

#[test]
fn files_that_are_no_vectors_say_where() {
    assert_eq!(refused(""), "v.json:1:0: EOF while parsing a value");
    assert_eq!(refused("{\n  \"vectors\": [,]\n}"), "v.json:2:15: expected value");
    assert_eq!(refused(r#"{ "vectors": [] }"#), "v.json: the list of vectors is empty; give at least one");
    assert_eq!(refused("{}"), "v.json:1:2: missing field `vectors`");
    assert_eq!(
        refused(r#"{ "vectors": [{ "nmae": "v" }] }"#),
        "v.json:1:22: unknown field `nmae`, expected one of `name`, `comment`, `function`, `config`, `frame`, `expect`"
    );
    let config = r#"{ "keys": "00" }"#;
    assert!(refused(&one("xor", config, FRAME, EXPECT)).contains("unknown field `keys`, expected one of `processors`"));
    assert!(
        refused(&one("crc32", "{}", FRAME, EXPECT)).contains("unknown variant `crc32`, expected `xor` or `toeplitz`")
    );
    let frame = r#"{ "packet": { "source": "10.0.0.300" } }"#;
    assert!(refused(&one("xor", "{}", frame, EXPECT)).contains("invalid IP address syntax"));
}

#[test]
fn vectors_that_make_no_sense_are_named() {
    let twice = r#"{ "name": "v", "function": "xor", "frame": FRAME, "expect": EXPECT }"#
        .replace("FRAME", FRAME)
        .replace("EXPECT", EXPECT);
    let twice = format!(r#"{{ "vectors": [{twice}, {twice}] }}"#);
    assert_eq!(refused(&twice), "v.json: vector `v`: the name is given twice");

    let config = |config: &str| refused(&one("xor", config, FRAME, EXPECT));
    assert_eq!(config(r#"{ "key": "6d5a" }"#), "v.json: vector `v`: config.key: 2 bytes; the Toeplitz key has 40");
    assert_eq!(
        config(r#"{ "key": "6d5x" }"#),
        "v.json: vector `v`: config.key: `x` at position 4 is no hexadecimal digit"
    );
    for processors in [0, 1, 17, 255] {
        let message = config(&format!(r#"{{ "processors": {processors} }}"#));
        assert_eq!(message, format!("v.json: vector `v`: config.processors: {processors}; a card has 2 to 16"));
    }
    for chunk_bits in [0, 8] {
        let message = config(&format!(r#"{{ "chunk_bits": {chunk_bits} }}"#));
        assert_eq!(
            message,
            format!("v.json: vector `v`: config.chunk_bits: {chunk_bits}; the card folds to 1 to 7 bits")
        );
    }

    let frame = |frame: &str| refused(&one("xor", "{}", frame, EXPECT));
    assert_eq!(
        frame(r#"{ "bytes": "020" }"#),
        "v.json: vector `v`: frame.bytes: there is an odd number of hexadecimal digits (3)"
    );
    for length in [0, 13, 9217] {
        let message = frame(&format!(r#"{{ "bytes": "{}" }}"#, "00".repeat(length)));
        let expected = format!("v.json: vector `v`: frame: {length} bytes; a frame that is delivered has 14 to 9216");
        assert_eq!(message, expected);
    }
    let packet = r#"{ "packet": { "source": "10.0.0.1", "destination": "::1", "protocol": { "other": 1 } } }"#;
    assert!(frame(packet).starts_with("v.json: vector `v`: frame.packet: source 10.0.0.1 and destination ::1"));

    let expect = |hash: &str, processors: &str| {
        let expect = format!(r#"{{ "class": "other", "hash": "{hash}", "processors": {processors} }}"#);
        refused(&one("xor", "{}", FRAME, &expect))
    };
    for hash in ["", "0x", "12", "0x123456789", "0xfg", "0x+1", "-1"] {
        let expected =
            format!("v.json: vector `v`: expect.hash: `{hash}`; write it as 0x and up to eight hexadecimal digits");
        assert_eq!(expect(hash, "[0]"), expected);
    }
    assert_eq!(
        expect("0x0", "[]"),
        "v.json: vector `v`: expect.processors: []; name one or more of the processors 0 to 3"
    );
    assert_eq!(
        expect("0x0", "[4]"),
        "v.json: vector `v`: expect.processors: [4]; name one or more of the processors 0 to 3"
    );
}

#[test]
fn unreadable_files_name_the_reason() {
    assert_eq!(
        load("/nowhere/v.json").unwrap_err().to_string(),
        "/nowhere/v.json: cannot be read: No such file or directory (os error 2); check the path and its permissions"
    );
    let not_text = read("v.json", &[0xff, 0xfe, 0, 0]).unwrap_err();
    assert!(matches!(not_text, VectorError::Malformed { line: 1, .. }), "{not_text}");
}

#[test]
fn the_example_in_the_documentation_holds() {
    let readme = include_str!("../../../tests/vectors/README.md");
    let (_, rest) = readme.split_once("```json\n").unwrap();
    let (example, _) = rest.split_once("```").unwrap();
    assert_eq!(agree(&read("README.md", example.as_bytes()).unwrap()), 1);
    for (file, json) in SHIPPED {
        let row = format!("| `{file}` | {} |", read(file, json.as_bytes()).unwrap().len());
        assert!(readme.contains(&row), "{row}");
    }
}
