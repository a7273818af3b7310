//! Symbolize: the service the collector asks.
//! In: modules and addresses. Out: [`Frame`]s. Holds the caches and keeps them within bounds.

use std::collections::HashMap;

use crate::debug_info::DebugFrame;
use crate::demangle::demangle;
use crate::frame::{Frame, ModuleRef};
use crate::module::Module;
use crate::options::SymbolizerOptions;

/// What the symbolizer has done and holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SymbolizerStats {
    /// Addresses asked for.
    pub lookups: u64,
    /// Of those, answered from memory.
    pub remembered: u64,
    /// Of those, answered without a function name.
    pub unnamed: u64,
    /// Modules dropped to stay within the bounds.
    pub evictions: u64,
    /// Modules open now.
    pub modules: u64,
    /// Bytes of files held in memory now.
    pub held_bytes: u64,
}

/// Resolves addresses, remembering modules and answers.
pub struct Symbolizer {
    options: SymbolizerOptions,
    modules: HashMap<ModuleRef, Slot>,
    answers: HashMap<Question, Vec<Frame>>,
    next_key: u32,
    clock: u64,
    stats: SymbolizerStats,
}

/// One module, opened or found unusable.
struct Slot {
    module: Option<Module>,
    key: u32,
    used_at: u64,
}

/// Module key, looked-up address, address shown, whether debug information was wanted.
type Question = (u32, u64, u64, bool);

impl Symbolizer {
    /// A symbolizer that has read nothing yet.
    pub fn new(options: SymbolizerOptions) -> Self {
        Self {
            options,
            modules: HashMap::new(),
            answers: HashMap::new(),
            next_key: 0,
            clock: 0,
            stats: SymbolizerStats::default(),
        }
    }

    /// The functions at `address` (SVMA of the file), innermost inlined one first; never empty. A return
    /// address is looked up one byte earlier, in the call that it returns from.
    pub fn resolve(&mut self, module: &ModuleRef, address: u64, is_return_address: bool) -> Vec<Frame> {
        let debug_info = self.options.debug_info;
        self.answer(module, address, is_return_address, debug_info)
    }

    /// The name of the function that covers `address`, from the symbol tables alone: cheap enough for every
    /// new stack. Functions inlined there are not seen.
    pub fn resolve_function_only(
        &mut self,
        module: &ModuleRef,
        address: u64,
        is_return_address: bool,
    ) -> Frame {
        let frames = self.answer(module, address, is_return_address, false);
        frames.into_iter().next().unwrap_or_else(|| Frame::unnamed(module, address))
    }

    /// [`Symbolizer::resolve`] for many addresses; the answers come in the order of the questions. Looks them
    /// up in the order of modules and addresses, so that a huge file is read once from front to back where
    /// single questions in a random order would read parts of it again and again.
    pub fn resolve_all(&mut self, questions: &[(&ModuleRef, u64, bool)]) -> Vec<Vec<Frame>> {
        let mut order: Vec<usize> = (0..questions.len()).collect();
        order.sort_by_key(|index| questions[*index]);
        let mut answers = vec![Vec::new(); questions.len()];
        for index in order {
            let (module, address, is_return_address) = questions[index];
            answers[index] = self.resolve(module, address, is_return_address);
        }
        answers
    }

    /// What has been done and is held.
    pub fn stats(&self) -> SymbolizerStats {
        SymbolizerStats { modules: self.modules.len() as u64, held_bytes: self.held_bytes(), ..self.stats }
    }

    /// Forgets everything that was read: for the quiet time between two reports.
    pub fn clear(&mut self) {
        self.modules.clear();
        self.answers.clear();
    }

    fn answer(&mut self, module: &ModuleRef, address: u64, is_return: bool, debug_info: bool) -> Vec<Frame> {
        self.stats.lookups += 1;
        self.clock += 1;
        let probe = if is_return { address.saturating_sub(1) } else { address };
        let key = self.open(module);
        let question = (key, probe, address, debug_info);
        if let Some(frames) = self.answers.get(&question) {
            self.stats.remembered += 1;
            return frames.clone();
        }
        let frames = self.look_up(module, probe, address, debug_info);
        if frames.iter().any(|frame| !frame.is_named()) {
            self.stats.unnamed += 1;
        }
        self.keep_within_bounds(key);
        if self.answers.len() >= self.options.answers_max {
            self.answers.clear();
        }
        self.answers.insert(question, frames.clone());
        frames
    }

    /// Makes sure there is a slot for `module` and returns its key.
    fn open(&mut self, module: &ModuleRef) -> u32 {
        if let Some(slot) = self.modules.get_mut(module) {
            if !slot.module.as_ref().is_some_and(Module::changed) {
                slot.used_at = self.clock;
                return slot.key;
            }
            // Overwritten in place: open it anew, and let the build-id decide.
            self.modules.remove(module);
        }
        self.next_key = self.next_key.wrapping_add(1);
        let slot = Slot { module: Module::open(module), key: self.next_key, used_at: self.clock };
        self.modules.insert(module.clone(), slot);
        self.next_key
    }

    fn look_up(&self, module_ref: &ModuleRef, probe: u64, address: u64, debug_info: bool) -> Vec<Frame> {
        let module = self.modules.get(module_ref).and_then(|slot| slot.module.as_ref());
        let Some(module) = module else { return vec![Frame::unnamed(module_ref, address)] };
        let symbol = module.symbol(probe, &self.options.debug_dirs);
        let debug_frames = if debug_info { module.debug_frames(probe, &self.options) } else { Vec::new() };
        assemble(module_ref, address, symbol.as_deref(), debug_frames)
    }

    fn held_bytes(&self) -> u64 {
        self.modules.values().filter_map(|slot| slot.module.as_ref()).map(Module::held_bytes).sum()
    }

    /// Drops least recently used modules until the bounds hold; the module just used goes last. Answers stay:
    /// they are bounded on their own.
    fn keep_within_bounds(&mut self, current: u32) {
        while self.modules.len() > self.options.modules_max
            || self.held_bytes() > self.options.memory_bytes_max
        {
            let oldest = self
                .modules
                .iter()
                .min_by_key(|(_, slot)| (slot.key == current, slot.used_at))
                .map(|(module, _)| module.clone());
            let Some(oldest) = oldest else { return };
            self.modules.remove(&oldest);
            self.stats.evictions += 1;
        }
    }
}

/// Joins what debug information and the symbol table say.
fn assemble(
    module: &ModuleRef,
    address: u64,
    symbol: Option<&str>,
    debug_frames: Vec<DebugFrame>,
) -> Vec<Frame> {
    let symbol = symbol.map(demangle);
    if debug_frames.is_empty() {
        let mut frame = Frame::unnamed(module, address);
        frame.function = symbol.unwrap_or(frame.function);
        return vec![frame];
    }
    let outermost = debug_frames.len() - 1;
    let name = module.name();
    let frames = debug_frames.into_iter().enumerate().map(|(index, debug)| {
        let inlined = index != outermost;
        let unnamed = || Frame::unnamed(module, address).function;
        let function = match (debug.function.as_deref().map(demangle), &symbol) {
            // A plain name in DWARF may lack the namespace that the symbol has, or be an alias that only the
            // library itself uses (`__GI___libc_malloc`). Where DWARF has a qualified name, that is fuller.
            (Some(plain), Some(symbol)) if !inlined && !plain.contains("::") => symbol.clone(),
            (Some(function), _) => function,
            (None, Some(symbol)) if !inlined => symbol.clone(),
            (None, _) => unnamed(),
        };
        Frame { function, file: debug.file, line: debug.line, module: name.clone(), address, inlined }
    });
    frames.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: the collector may hand the symbolizer to a thread of its own.
    #[test]
    fn can_move_between_threads() {
        fn assert_send<T: Send>(_: &T) {}
        assert_send(&Symbolizer::new(SymbolizerOptions::default()));
    }
}
