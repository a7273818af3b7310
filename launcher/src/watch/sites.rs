//! Launcher, watch: which stacks belong to one place in the source. In: stacks as module and address. Out: site numbers,
//! and stacks with names.
//!
//! A site is the innermost frame of the application: same module, same address. The names that tell the application's
//! frames from allocator wrappers and runtimes come from symbol tables alone, which is cheap; files, lines and inlined
//! frames are looked up when a report is written.
//!
//! Where a shared library that fingerprints know was called, the site is the caller: what one call of `SSL_new` allocates at a
//! dozen places of OpenSSL is one site, and two callers are two.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use memguard_collect::ProcessReader;
use memguard_model::{SiteId, StackId};
use memguard_patterns::Library;
use memguard_segment::FRAME_UNKNOWN_MODULE;
use memguard_symbolize::{Frame, FrameRole, ModuleRef, Symbolizer, SymbolizerOptions, location_index, role};

/// The site of stacks that nothing is known of.
const UNKNOWN: SiteId = SiteId(0);
/// Sites of a session. Far more than a program has; code made at run time can have ever new ones.
const SITES_MAX: usize = 1 << 16;
/// So many of the innermost frames are looked at for the application's.
const FRAMES_NAMED_MAX: usize = 48;

/// The sites of a session.
pub struct Sites {
    numbers: HashMap<(ModuleRef, u64), SiteId>,
    symbolizer: Symbolizer,
    library: Library,
}

impl Sites {
    pub fn new(library: Library) -> Self {
        Self { numbers: HashMap::new(), symbolizer: Symbolizer::new(SymbolizerOptions::default()), library }
    }

    /// The fingerprints that know libraries.
    pub fn library(&self) -> &Library {
        &self.library
    }

    fn number(&mut self, frame: &(ModuleRef, u64)) -> SiteId {
        if let Some(known) = self.numbers.get(frame) {
            return *known;
        }
        if self.numbers.len() >= SITES_MAX {
            return UNKNOWN;
        }
        let next = SiteId(u32::try_from(self.numbers.len() + 1).unwrap_or(u32::MAX));
        self.numbers.insert(frame.clone(), next);
        next
    }

    /// The site of a stack: its innermost application frame outside of known libraries.
    fn of(&mut self, stack: &[(ModuleRef, u64)]) -> SiteId {
        let named = self.functions(stack);
        self.place(&named).and_then(|at| stack.get(at)).map_or(UNKNOWN, |frame| self.number(frame))
    }

    /// What the site of a stack is called, by functions alone.
    pub fn name(&mut self, stack: &[(ModuleRef, u64)]) -> String {
        let frames = self.functions(stack);
        memguard_report::location(&frames, self.place(&frames))
    }

    /// The innermost frames up to the application's, with functions alone.
    fn functions(&mut self, stack: &[(ModuleRef, u64)]) -> Vec<Frame> {
        let mut physical: Vec<Frame> = Vec::new();
        for (module, address) in stack.iter().take(FRAMES_NAMED_MAX) {
            let named = self.symbolizer.resolve_function_only(module, *address, true);
            let role = role(&named);
            physical.push(named);
            // Most stacks reach the application within a few frames; the rest need no names.
            if role == FrameRole::Application && physical.last().is_some_and(|last| !is_shared_library(last))
            {
                break;
            }
        }
        physical
    }

    /// Which of the frames is the place: the application's innermost outside of known libraries.
    fn place(&self, physical: &[Frame]) -> Option<usize> {
        let application = physical.iter().position(|frame| role(frame) == FrameRole::Application);
        let called = application.filter(|at| physical.get(*at).is_some_and(is_shared_library));
        let place = called.and_then(|_| self.library.place(physical)).or(application);
        place.or_else(|| location_index(physical))
    }

    /// The frames of a stack with functions, files, lines and inlined frames, innermost first.
    pub fn resolve(&mut self, stack: &[(ModuleRef, u64)]) -> Vec<Frame> {
        let questions: Vec<_> = stack.iter().map(|(module, address)| (module, *address, true)).collect();
        self.symbolizer.resolve_all(&questions).into_iter().flatten().collect()
    }
}

/// Whether a frame may belong to a library that fingerprints know.
fn is_shared_library(frame: &Frame) -> bool {
    frame.module.contains(".so")
}

/// The sites of one process's stacks.
#[derive(Default)]
pub struct ProcessSites {
    sites: HashMap<StackId, SiteId>,
    modules: HashMap<u16, ModuleRef>,
}

impl ProcessSites {
    /// The site of a stack that was learned.
    pub fn of(&self, stack: StackId) -> SiteId {
        self.sites.get(&stack).copied().unwrap_or(UNKNOWN)
    }

    /// Finds the sites of stacks not seen before. A stack whose frames are not there yet is asked again next time, but
    /// counts as unknown until then only if it never had frames when first booked.
    pub fn learn(
        &mut self,
        stacks: impl Iterator<Item = StackId>,
        reader: &ProcessReader,
        sites: &mut Sites,
    ) {
        for stack in stacks {
            if !self.sites.contains_key(&stack) {
                let frames = self.frames(stack, reader);
                self.sites.insert(stack, sites.of(&frames));
            }
        }
    }

    /// The frames of a stack with the modules they lie in.
    pub fn frames(&mut self, stack: StackId, reader: &ProcessReader) -> Vec<(ModuleRef, u64)> {
        let frames = reader.stack(stack).frames;
        frames.into_iter().map(|(module, address)| (self.module(module, reader), address)).collect()
    }

    /// The function at an address of the process.
    pub fn function_at(&mut self, address: u64, reader: &ProcessReader, sites: &mut Sites) -> Option<String> {
        let (module, address) = reader.locate(address)?;
        let module = self.module(module, reader);
        let frame = sites.symbolizer.resolve_function_only(&module, address, false);
        Some(frame.function)
    }

    fn module(&mut self, index: u16, reader: &ProcessReader) -> ModuleRef {
        if let Some(module) = self.modules.get(&index) {
            return module.clone();
        }
        let found = (index != FRAME_UNKNOWN_MODULE).then(|| reader.module(index)).flatten();
        let module = found.map_or_else(
            || ModuleRef { path: PathBuf::from("[unknown]"), build_id: None },
            |module| ModuleRef {
                path: PathBuf::from(OsStr::from_bytes(module.path())),
                build_id: Some(module.build_id().to_vec()).filter(|id| !id.is_empty()),
            },
        );
        self.modules.insert(index, module.clone());
        module
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: code that is made at run time does not fill memory. Method: twice as many places as are kept.
    #[test]
    fn sites_are_bounded() {
        let mut sites = Sites::new(Library::default());
        let module = ModuleRef { path: PathBuf::from("[unknown]"), build_id: None };
        let first = sites.number(&(module.clone(), 0));
        for address in 1..2 * SITES_MAX as u64 {
            sites.number(&(module.clone(), address));
        }
        assert_eq!(sites.numbers.len(), SITES_MAX);
        assert_eq!(sites.number(&(module.clone(), 0)), first);
        assert_eq!(sites.number(&(module, u64::MAX)), UNKNOWN);
    }
}
