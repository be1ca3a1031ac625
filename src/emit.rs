//! `pointsman emit`: the card as Verilog, with its register map.

use std::path::{Path, PathBuf};
use std::{fs, io};

use abi::csr::{CORE, HOST};
use abi::params::NicParams;
use abi::render::{CHeader, Markdown, Svd};
use clap::{Args, ValueEnum};

use crate::failure::Failure;
use crate::output::{self, NewFile};

/// What to print.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Block {
    /// The card.
    Nic,
    /// Parser, hash and indirection table alone.
    Classifier,
    /// The hash alone.
    FlowHash,
}

/// Options of `pointsman emit`.
#[derive(Args)]
pub struct Arguments {
    /// nXwY: X processors (2 to 16), a frame stream of Y bits (64, 128, 256, 512).
    #[arg(long, default_value = NicParams::PRESETS[0])]
    preset: String,
    /// The top module.
    #[arg(long, value_enum, default_value = "nic")]
    block: Block,
    /// Folder to write to; made if it does not exist.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

/// Writes the files.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let params = arguments.preset.parse::<NicParams>().map_err(|e| Failure::preset(&arguments.preset, e))?;
    let emitted = match arguments.block {
        Block::Nic => hdl::nic::emit_nic(params)?,
        Block::Classifier => hdl::nic::emit_classifier(params)?,
        Block::FlowHash => hdl::nic::emit_flow_hash(params)?,
    };
    let verilog = format!("{}.v", emitted.top);
    let list = format!("# {params}, top module {}\n{verilog}\n", emitted.top);
    let mut files = vec![(verilog.clone(), emitted.verilog), (format!("{}.f", emitted.top), list)];
    if arguments.block == Block::Nic {
        files.push(("registers.md".into(), register_document(params)));
        files.push(("pointsman_registers.h".into(), register_header()));
        files.push(("pointsman.svd".into(), Svd(&[HOST, CORE]).to_string()));
    }
    let dir = &arguments.output;
    let unwritable = |problem: io::Error| Failure::Unwritable { file: dir.clone(), problem };
    fs::create_dir_all(dir).map_err(unwritable)?;
    // All files are open before the first takes its place.
    let paths: Vec<_> = files.iter().map(|(name, _)| dir.join(name)).collect();
    let open = paths.iter().map(|path| NewFile::create(path)).collect::<Result<Vec<_>, _>>()?;
    for (file, (_, text)) in open.into_iter().zip(&files) {
        file.finish(text)?;
    }
    output::print(&summary(&paths));
    Ok(())
}

fn summary(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| format!("{}\n", Path::display(path))).collect()
}

fn register_document(params: NicParams) -> String {
    format!(
        "# Register map of the Pointsman card\n\nPrinted from the table in the crate `abi` by `pointsman emit --preset {params}`.\n\n{}\n{}",
        Markdown(&HOST),
        Markdown(&CORE)
    )
}

fn register_header() -> String {
    format!(
        "/* Register map of the Pointsman card. Printed by `pointsman emit`; do not edit. */\n#ifndef POINTSMAN_REGISTERS_H\n#define POINTSMAN_REGISTERS_H\n\n{}\n{}\n#endif\n",
        CHeader(&HOST),
        CHeader(&CORE)
    )
}
