//! How much memory each card has. A memory that is read or written in one way too many would be thousands of flip-flops on an FPGA.

use std::collections::BTreeMap;

use abi::params::NicParams;

/// Memories of a module and what is in it: how many, and their bits.
type Memories = (usize, usize);

/// What a module has itself, and the modules in it.
#[derive(Default)]
struct Module<'a> {
    own: Memories,
    children: Vec<&'a str>,
}

/// Both numbers of `[high:low]`.
fn range(text: &str) -> Option<(usize, usize)> {
    let (first, second) = text.trim_matches(['[', ']', ';']).split_once(':')?;
    Some((first.parse().ok()?, second.parse().ok()?))
}

fn modules(verilog: &str) -> BTreeMap<&str, Module<'_>> {
    let mut modules = BTreeMap::new();
    let mut current: &mut Module = modules.entry("").or_default();
    for line in verilog.lines() {
        let words: Vec<&str> = line.split_whitespace().filter(|w| !["(*", "no_rw_check", "*)"].contains(w)).collect();
        match words[..] {
            ["module", name, "("] => current = modules.entry(name).or_default(),
            // An instance.
            [module, _, "("] if line.starts_with("    ") => current.children.push(module),
            ["reg", .., "words", depth] => {
                let (first, last) = range(depth).expect("a range of words");
                // One bit has no range.
                let (high, low) = range(words[1]).unwrap_or((0, 0));
                current.own.0 += 1;
                current.own.1 += (last - first + 1) * (high - low + 1);
            }
            _ => {}
        }
    }
    modules
}

fn total(modules: &BTreeMap<&str, Module>, name: &str) -> Memories {
    let Some(module) = modules.get(name) else { return (0, 0) };
    module.children.iter().fold(module.own, |(count, bits), child| {
        let (more, more_bits) = total(modules, child);
        (count + more, bits + more_bits)
    })
}

#[test]
fn every_preset_has_the_memories_that_it_is_meant_to_have() {
    let measured = NicParams::PRESETS.map(|preset| {
        let card = hdl::nic::emit_nic(preset.parse().unwrap()).unwrap();
        let (memories, bits) = total(&modules(&card.verilog), &card.top);
        (preset, memories, bits)
    });
    // Preset, memories, bits in them.
    let expected = [
        ("n4w64", 100, 706942),
        ("n2w64", 78, 529538),
        ("n8w64", 144, 1160054),
        ("n16w64", 232, 2459494),
        ("n4w128", 100, 718846),
        ("n4w256", 100, 742654),
        ("n16w512", 232, 2542822),
    ];
    assert_eq!(measured, expected);
}
