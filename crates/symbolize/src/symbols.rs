//! Symbolize: the function names of an ELF symbol table.
//! In: `.symtab` or `.dynsym`. Out: the name that covers an address. 16 bytes a symbol; the names stay in
//! the file until asked for.

use crate::demangle::NAME_BYTES_MAX;
use crate::elf::ElfFile;
use crate::section::Section;

/// Symbols read at once.
const BATCH: u64 = 4096;
/// Symbols beyond this count are ignored: a table of a million functions takes 16 MB.
const SYMBOLS_MAX: usize = 4_000_000;
/// How many symbols that start before an address are tried when the nearest does not cover it.
const NESTING_MAX: usize = 16;

/// Sorted function symbols.
#[derive(Debug)]
pub struct SymbolIndex {
    symbols: Box<[Symbol]>,
    names: Section,
}

#[derive(Debug, Clone, Copy)]
struct Symbol {
    address: u64,
    size: u32,
    name: u32,
}

impl SymbolIndex {
    /// Reads `table` (its names are in `names`), both section names. `None` if there is no such table or
    /// it names no function.
    pub fn read(elf: &ElfFile, table: &str, names: &str) -> Option<Self> {
        let inflated_bytes_max = 256 << 20;
        let table = elf.section(table, inflated_bytes_max)?;
        let names = elf.section(names, inflated_bytes_max)?;
        let code = elf.code_ranges();
        let entry_bytes = if elf.is_64 { 24 } else { 16 };
        let count = table.len() / entry_bytes;
        let mut ranked: Vec<(Symbol, u8)> = Vec::new();
        let mut first = 0;
        while first < count && ranked.len() < SYMBOLS_MAX {
            let last = count.min(first + BATCH as usize);
            let bytes = table.read_once(first * entry_bytes, last * entry_bytes)?;
            let parsed = bytes.chunks_exact(entry_bytes).filter_map(|entry| parse(entry, elf.is_64));
            ranked.extend(
                parsed.filter(|(symbol, _)| code.iter().any(|range| range.contains(&symbol.address))),
            );
            first = last;
        }
        if ranked.is_empty() {
            return None;
        }
        // Of several names for one address the last of its group wins the lookup: the longest symbol,
        // then the most public name.
        ranked.sort_by_key(|(symbol, rank)| (symbol.address, symbol.size, *rank));
        let symbols: Box<[Symbol]> = dedup(ranked, &names).into_boxed_slice();
        elf.source().hold(size_of_val(&*symbols) as u64);
        Some(Self { symbols, names })
    }

    /// The raw (mangled) name of the function that covers `address`.
    pub fn name(&self, address: u64) -> Option<String> {
        let after = self.symbols.partition_point(|symbol| symbol.address <= address);
        let before = self.symbols.get(..after)?;
        let next = self.symbols.get(after).map_or(u64::MAX, |symbol| symbol.address);
        let covering = before.iter().rev().take(NESTING_MAX).enumerate().find(|(distance, symbol)| {
            let offset = address - symbol.address;
            // Hand-written assembly often has no size: such a symbol reaches to the next one.
            offset < u64::from(symbol.size) || (symbol.size == 0 && *distance == 0 && address < next)
        });
        let (_, symbol) = covering?;
        let name = self.names.string(symbol.name as usize, NAME_BYTES_MAX)?;
        // `malloc@@GLIBC_2.2.5`
        let name = name.split('@').next().unwrap_or_default();
        (!name.is_empty()).then(|| name.to_owned())
    }
}

fn parse(entry: &[u8], is_64: bool) -> Option<(Symbol, u8)> {
    let u16_at = |at: usize| Some(u16::from_ne_bytes(entry.get(at..at + 2)?.try_into().ok()?));
    let u32_at = |at: usize| Some(u32::from_ne_bytes(entry.get(at..at + 4)?.try_into().ok()?));
    let u64_at = |at: usize| Some(u64::from_ne_bytes(entry.get(at..at + 8)?.try_into().ok()?));
    let name = u32_at(0)?;
    let (info, section, address, size) = if is_64 {
        (*entry.get(4)?, u16_at(6)?, u64_at(8)?, u64_at(16)?)
    } else {
        (*entry.get(12)?, u16_at(14)?, u64::from(u32_at(4)?), u64::from(u32_at(8)?))
    };
    let is_code = matches!(
        object::elf::SymbolType(info & 0xf),
        object::elf::STT_FUNC | object::elf::STT_GNU_IFUNC | object::elf::STT_NOTYPE
    );
    if !is_code || section == 0 || name == 0 {
        return None;
    }
    let rank = match object::elf::SymbolBind(info >> 4) {
        object::elf::STB_GLOBAL => 2,
        object::elf::STB_WEAK => 1,
        _ => 0,
    };
    Some((Symbol { address, size: u32::try_from(size).unwrap_or(u32::MAX), name }, rank))
}

/// Keeps one symbol of those with the same address and size: the highest rank, then the fewest leading
/// underscores, then the first in the alphabet, so that the same file always gives the same names.
fn dedup(ranked: Vec<(Symbol, u8)>, names: &Section) -> Vec<Symbol> {
    let mut kept: Vec<(Symbol, u8)> = Vec::with_capacity(ranked.len());
    for (symbol, rank) in ranked {
        match kept.last_mut() {
            Some((last, last_rank)) if (last.address, last.size) == (symbol.address, symbol.size) => {
                if rank > *last_rank || (rank == *last_rank && plainer(symbol, *last, names)) {
                    (*last, *last_rank) = (symbol, rank);
                }
            }
            _ => kept.push((symbol, rank)),
        }
    }
    kept.into_iter().map(|(symbol, _)| symbol).collect()
}

fn plainer(left: Symbol, right: Symbol, names: &Section) -> bool {
    let key = |symbol: Symbol| {
        let name = names.string(symbol.name as usize, 128).unwrap_or_default();
        (name.bytes().take_while(|byte| *byte == b'_').count(), name)
    };
    key(left) < key(right)
}
