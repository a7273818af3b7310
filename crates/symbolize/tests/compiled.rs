//! Symbolize, against real compilers: C, C++ and Rust programs, with every way their debug information is
//! shipped. Method: compile a program, read the return address of a known call from the disassembly, resolve
//! it, compare with the marks in the source.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use memguard_symbolize::{Frame, FrameRole, ModuleRef, Symbolizer, SymbolizerOptions, location_index, role};
use tempfile::TempDir;

const C_SOURCE: &str = r"
#include <stdlib.h>
void *volatile keep[8];
static inline __attribute__((always_inline)) void *take(unsigned n) {
    return malloc(n + 1); /* mark: take */
}
__attribute__((noinline)) void *load_user(unsigned n) {
    keep[n] = take(n); /* mark: load */
    return keep[n];
}
int main(int argc, char **argv) {
    (void)argv;
    load_user((unsigned)argc); /* mark: main */
    return 0;
}
";

const CPP_SOURCE: &str = r"
#include <cstdlib>
#include <vector>
namespace shop {
struct Order { int id; };
template <typename T> struct Book {
    std::vector<T *> all;
    __attribute__((noinline)) void insert(const T &order) {
        void *raw = std::malloc(sizeof(T)); // mark: insert
        all.push_back(static_cast<T *>(raw));
        all.back()->id = order.id;
    }
};
}
int main(int argc, char **) {
    shop::Book<shop::Order> book;
    book.insert(shop::Order{argc});
    return book.all.empty();
}
";

const RUST_SOURCE: &str = r"
mod shop {
    #[inline(never)]
    fn note_order(count: usize) { std::hint::black_box(count); }
    pub struct Book<T> { all: Vec<T> }
    impl<T: Clone> Book<T> {
        pub fn new() -> Self { Self { all: Vec::new() } }
        #[inline(never)]
        pub fn insert(&mut self, order: &T) {
            note_order(self.all.len()); // mark: insert
            self.all.push(order.clone());
        }
        pub fn len(&self) -> usize { self.all.len() }
    }
}
fn main() {
    let mut book = shop::Book::new();
    book.insert(&std::env::args().count());
    std::process::exit(book.len() as i32 - 1);
}
";

/// A directory with one compiled program.
struct Program {
    directory: TempDir,
    source: &'static str,
    path: PathBuf,
}

impl Program {
    fn compile(compiler: &str, file: &str, source: &'static str, options: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (input, path) = (directory.path().join(file), directory.path().join("server"));
        fs::write(&input, source).unwrap();
        run(Command::new(compiler).args(options).arg(&input).arg("-o").arg(&path));
        Self { directory, source, path }
    }

    fn c(options: &[&str]) -> Self {
        let all: Vec<&str> = [&["-O2", "-Wl,--build-id"], options].concat();
        Self::compile("gcc", "user.c", C_SOURCE, &all)
    }

    fn line(&self, mark: &str) -> u32 {
        let index = self.source.lines().position(|line| {
            line.ends_with(&format!("mark: {mark}")) || line.ends_with(&format!("mark: {mark} */"))
        });
        index.unwrap() as u32 + 1
    }

    /// Address of the instruction after the call to `callee` in the function whose symbol contains `caller`.
    fn return_address(&self, caller: &str, callee: &str) -> u64 {
        let output =
            Command::new("objdump").args(["-d", "--no-show-raw-insn"]).arg(&self.path).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut inside = false;
        let mut called = false;
        for line in text.lines() {
            if line.ends_with(">:") {
                inside = line.contains(caller);
            } else if inside
                && called
                && let Some((address, _)) = line.trim().split_once(':')
            {
                return u64::from_str_radix(address, 16).unwrap();
            } else if inside {
                called = line.contains("call") && line.contains(callee);
            }
        }
        panic!("{caller} does not call {callee}");
    }

    fn module(&self) -> ModuleRef {
        ModuleRef { path: self.path.clone(), build_id: Some(build_id(&self.path)) }
    }

    fn debug_dir(&self) -> PathBuf {
        self.directory.path().join("debug")
    }

    /// Splits the debug information off into `path`, as distributions do.
    fn split_debug(&self, path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        run(Command::new("objcopy").arg("--only-keep-debug").arg(&self.path).arg(path));
        run(Command::new("strip").arg(&self.path));
    }

    fn debug_path_by_id(&self) -> PathBuf {
        let id = build_id_hex(&self.path);
        self.debug_dir().join(".build-id").join(&id[..2]).join(format!("{}.debug", &id[2..]))
    }

    fn resolve(&self, address: u64) -> Vec<Frame> {
        self.symbolizer().resolve(&self.module(), address, true)
    }

    fn symbolizer(&self) -> Symbolizer {
        Symbolizer::new(SymbolizerOptions {
            debug_dirs: vec![self.debug_dir()],
            ..SymbolizerOptions::default()
        })
    }

    /// The two frames of the C program's allocation, `take` inlined into `load_user`.
    fn assert_c_frames(&self, frames: &[Frame], what: &str) {
        let seen: Vec<(&str, Option<u32>, bool)> =
            frames.iter().map(|frame| (frame.function.as_str(), frame.line, frame.inlined)).collect();
        let expected =
            [("take", Some(self.line("take")), true), ("load_user", Some(self.line("load")), false)];
        assert_eq!(seen, expected, "{what}");
        assert!(
            frames.iter().all(|frame| frame.file.as_deref().is_some_and(|file| file.ends_with("user.c")))
        );
        assert!(frames.iter().all(|frame| frame.module == "server"));
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn build_id(path: &Path) -> Vec<u8> {
    let hex = build_id_hex(path);
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn build_id_hex(path: &Path) -> String {
    let output = Command::new("readelf").arg("-n").arg(path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split("Build ID: ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
}

/// Goal: inlined functions and lines, for every DWARF version and compression the compiler knows.
#[test]
fn c_with_lines_and_inlined_functions() {
    for options in [
        &["-g"][..],
        &["-gdwarf-4"],
        &["-gdwarf-3"],
        &["-gdwarf-5", "-gz=zlib"],
        &["-gdwarf-4", "-gz=zlib-gnu"],
        &["-g3", "-fdebug-types-section"],
        &["-g", "-no-pie"],
        &["-g", "-static"],
        &["-g", "-flto"],
    ] {
        let program = Program::c(options);
        let address = program.return_address("<load_user", "malloc");
        let frames = program.resolve(address);
        program.assert_c_frames(&frames, &format!("{options:?}"));
        let stack = [frames, program.resolve(program.return_address("<main>", "load_user"))].concat();
        assert_eq!(stack.last().unwrap().line, Some(program.line("main")), "{options:?}");
        assert_eq!(location_index(&stack), Some(0));
    }
}

/// Goal: sections compressed with Zstandard. Method: let objcopy do it, where it can.
#[test]
fn zstd_sections() {
    let program = Program::c(&["-g"]);
    let address = program.return_address("<load_user", "malloc");
    let mut objcopy = Command::new("objcopy");
    let supported = objcopy.arg("--compress-debug-sections=zstd").arg(&program.path).output().unwrap();
    if supported.status.success() {
        program.assert_c_frames(&program.resolve(address), "zstd");
    }
}

/// Goal: split debug files are found by build-id and by debug link, and only if they belong.
#[test]
fn separate_debug_files() {
    let program = Program::c(&["-g"]);
    let address = program.return_address("<load_user", "malloc");
    program.split_debug(&program.debug_path_by_id());
    program.assert_c_frames(&program.resolve(address), "by build-id");

    let linked = Program::c(&["-g", "-Wl,--build-id=none"]);
    let address = linked.return_address("<load_user", "malloc");
    let debug_file = linked.directory.path().join(".debug/server.debug");
    linked.split_debug(&debug_file);
    run(Command::new("objcopy")
        .arg(format!("--add-gnu-debuglink={}", debug_file.display()))
        .arg(&linked.path));
    let module = ModuleRef { path: linked.path.clone(), build_id: None };
    linked.assert_c_frames(&linked.symbolizer().resolve(&module, address, true), "by debug link");
    let mut bytes = fs::read(&debug_file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&debug_file, bytes).unwrap();
    let frames = linked.symbolizer().resolve(&module, address, true);
    assert!(!frames[0].is_named(), "a debug file with another checksum was used: {frames:?}");

    let foreign = Program::c(&["-g", "-DOTHER"]);
    let address = foreign.return_address("<load_user", "malloc");
    let other = Program::c(&["-g", "-O0"]);
    fs::create_dir_all(foreign.debug_path_by_id().parent().unwrap()).unwrap();
    fs::copy(&other.path, foreign.debug_path_by_id()).unwrap();
    run(Command::new("strip").arg(&foreign.path));
    assert!(!foreign.resolve(address)[0].is_named(), "a debug file with another build-id was used");
}

/// Goal: without debug information the symbol table gives names, without that the module and address.
#[test]
fn without_debug_information() {
    let program = Program::c(&[]);
    let address = program.return_address("<load_user", "malloc");
    let frames = program.resolve(address);
    assert_eq!(frames.len(), 1);
    assert_eq!((frames[0].function.as_str(), &frames[0].file), ("load_user", &None));

    run(Command::new("strip").arg(&program.path));
    let frames = program.resolve(address);
    assert_eq!(frames[0].function, format!("server+{address:#x}"));
    assert_eq!((frames.len(), frames[0].is_named()), (1, false));
    assert_eq!(role(&frames[0]), FrameRole::Application);

    let exported = Program::c(&["-rdynamic"]);
    let address = exported.return_address("<load_user", "malloc");
    run(Command::new("strip").arg(&exported.path));
    assert_eq!(exported.resolve(address)[0].function, "load_user");
}

/// Goal: a stripped program with a mini debug file inside names its own functions. Method: pack one as
/// distributions do.
#[test]
fn mini_debug_file() {
    let program = Program::c(&[]);
    let address = program.return_address("<load_user", "malloc");
    let mini = program.directory.path().join("mini");
    run(Command::new("objcopy").args(["--only-keep-debug"]).arg(&program.path).arg(&mini));
    run(Command::new("xz").arg("--check=crc32").arg(&mini));
    run(Command::new("strip").arg(&program.path));
    assert!(!program.resolve(address)[0].is_named());
    let section = format!(".gnu_debugdata={}", mini.with_extension("xz").display());
    run(Command::new("objcopy").arg("--add-section").arg(section).arg(&program.path));
    assert_eq!(program.resolve(address)[0].function, "load_user");
}

/// Goal: names only, without opening debug information.
#[test]
fn function_only() {
    let program = Program::c(&["-g"]);
    let address = program.return_address("<load_user", "malloc");
    let mut symbolizer = program.symbolizer();
    let frame = symbolizer.resolve_function_only(&program.module(), address, true);
    assert_eq!((frame.function.as_str(), frame.line), ("load_user", None));
    // Both kinds of question have their own answers.
    program.assert_c_frames(&symbolizer.resolve(&program.module(), address, true), "after function only");
    let frame = symbolizer.resolve_function_only(&program.module(), address, true);
    assert_eq!((frame.function.as_str(), frame.line), ("load_user", None));
    assert_eq!(symbolizer.stats().remembered, 1);
}

/// Goal: a file that is not the recorded one is never used, whenever it was exchanged.
#[test]
fn another_build_is_refused() {
    let program = Program::c(&["-g"]);
    let address = program.return_address("<load_user", "malloc");
    let recorded = program.module();
    let other = Program::c(&["-g", "-O1"]);
    let mut symbolizer = program.symbolizer();
    program.assert_c_frames(&symbolizer.resolve(&recorded, address, true), "before");
    fs::write(&program.path, fs::read(&other.path).unwrap()).unwrap();
    let frames = symbolizer.resolve(&recorded, address, true);
    assert_eq!(frames[0].function, format!("server+{address:#x}"), "overwritten in place");
    fs::remove_file(&program.path).unwrap();
    assert_eq!(program.symbolizer().resolve(&recorded, address, true).len(), 1, "deleted");
    let device = ModuleRef { path: PathBuf::from("/dev/zero (deleted)"), build_id: None };
    assert_eq!(symbolizer.resolve(&device, 0x10, false)[0].function, "zero+0x10");
}

/// Goal: C++ names are qualified and bare, the standard library is not the place of a leak.
#[test]
fn cpp_templates() {
    for options in [&["-O2", "-g"][..], &["-O2"]] {
        let program = Program::compile("g++", "shop.cpp", CPP_SOURCE, options);
        let address = program.return_address("BookI", "malloc");
        let frames = program.resolve(address);
        let last = frames.last().unwrap();
        assert_eq!(last.function, "shop::Book<shop::Order>::insert", "{options:?}");
        assert_eq!(role(last), FrameRole::Application);
        if options.contains(&"-g") {
            assert_eq!(last.line, Some(program.line("insert")));
            // The growing vector, inlined into `insert` or not.
            let grown = program.resolve(program.return_address("BookI", "_M_realloc_insert"));
            let place = &grown[location_index(&grown).unwrap()];
            assert_eq!(place.function, "shop::Book<shop::Order>::insert", "{grown:?}");
            assert!(grown.iter().any(|frame| role(frame) != FrameRole::Application), "{grown:?}");
        }
    }
}

/// Goal: both Rust manglings give paths without hash; the standard library is skipped.
#[test]
fn rust_both_manglings() {
    for mangling in ["legacy", "v0"] {
        let option = format!("symbol-mangling-version={mangling}");
        let options = ["--edition=2021", "-g", "-Copt-level=2", "-C", option.as_str()];
        let options = match mangling {
            "legacy" => [&options[..], &["-Zunstable-options"]].concat(),
            _ => options.to_vec(),
        };
        let directory = tempfile::tempdir().unwrap();
        let input = directory.path().join("probe.rs");
        fs::write(&input, "fn main() {}").unwrap();
        let output = directory.path().join("probe");
        let probe = Command::new("rustc").args(&options).arg(&input).arg("-o").arg(output).output().unwrap();
        if !probe.status.success() {
            // Stable compilers may refuse the legacy mangling.
            continue;
        }
        let program = Program::compile("rustc", "shop.rs", RUST_SOURCE, &options);
        let address = program.return_address("insert", "note_order");
        let module = ModuleRef { path: program.path.clone(), build_id: None };
        let frames = program.symbolizer().resolve(&module, address, true);
        let last = frames.last().unwrap();
        assert!(last.function.contains("shop::Book<") && last.function.ends_with("::insert"), "{frames:?}");
        assert!(!last.function.contains("::h"), "{frames:?}");
        assert_eq!(last.line, Some(program.line("insert")), "{frames:?}");
        let grown = program.return_address("insert", "grow");
        let grown = program.symbolizer().resolve(&module, grown, true);
        let place = &grown[location_index(&grown).unwrap()];
        assert!(place.function.ends_with("::insert"), "{grown:?}");
    }
}

/// Goal: the C library's functions go by the names that programs call.
#[test]
fn libc_names() {
    let program = Program::c(&["-g", "-static"]);
    let address = program.return_address("<load_user", "malloc");
    let output = Command::new("nm").arg(&program.path).output().unwrap();
    let symbols = String::from_utf8(output.stdout).unwrap();
    let malloc = symbols.lines().find(|line| line.ends_with(" malloc")).unwrap();
    let malloc = u64::from_str_radix(malloc.split(' ').next().unwrap(), 16).unwrap();
    let mut symbolizer = program.symbolizer();
    for frames in
        symbolizer.resolve_all(&[(&program.module(), malloc, false), (&program.module(), malloc + 8, true)])
    {
        assert_eq!(frames.last().unwrap().function, "malloc");
        assert_eq!(role(frames.last().unwrap()), FrameRole::Allocator);
    }
    program.assert_c_frames(&symbolizer.resolve(&program.module(), address, true), "static");
}

/// Goal: garbage gives unnamed frames, never a panic. Method: cut files off, flip bits, overwrite runs; plain,
/// compressed and packed.
#[test]
fn garbage_files() {
    let program = Program::compile("g++", "shop.cpp", CPP_SOURCE, &["-O2", "-g"]);
    let address = program.return_address("BookI", "malloc");
    let plain = fs::read(&program.path).unwrap();
    let mut files = vec![plain.clone()];
    for compression in ["zlib", "zlib-gnu", "zstd"] {
        let option = format!("--compress-debug-sections={compression}");
        if Command::new("objcopy").arg(option).arg(&program.path).output().unwrap().status.success() {
            files.push(fs::read(&program.path).unwrap());
        }
        fs::write(&program.path, &plain).unwrap();
    }
    run(Command::new("xz").args(["--check=crc32", "--keep"]).arg(&program.path));
    run(Command::new("strip").arg(&program.path));
    let section = format!(".gnu_debugdata={}", program.path.with_extension("xz").display());
    run(Command::new("objcopy").arg("--add-section").arg(section).arg(&program.path));
    files.push(fs::read(&program.path).unwrap());

    let module = ModuleRef { path: program.directory.path().join("garbage"), build_id: None };
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    for round in 0..600 {
        let mut bytes = files[round % files.len()].clone();
        let len = bytes.len();
        match round % 4 {
            0 => bytes.truncate(random(len)),
            1 => {
                // Headers: the first page and the section table at the end.
                let at = if round % 8 == 1 { random(4096) } else { len - 1 - random(2600) };
                bytes[at] = random(256) as u8;
            }
            2 => (0..=random(200)).for_each(|_| bytes[random(len)] ^= 1 << random(8)),
            _ => {
                let at = random(len - 512);
                bytes[at..at + 512].fill(random(256) as u8);
            }
        }
        fs::write(&module.path, &bytes).unwrap();
        let mut symbolizer = program.symbolizer();
        for probe in [address, 0, 1, u64::MAX, address ^ 0x40] {
            assert!(!symbolizer.resolve(&module, probe, true).is_empty());
            symbolizer.resolve_function_only(&module, probe, false);
        }
    }
    for bytes in [&b""[..], b"\x7fELF", b"#!/bin/sh\n"] {
        fs::write(&module.path, bytes).unwrap();
        assert!(!program.symbolizer().resolve(&module, 1, true)[0].is_named());
    }
}

/// Goal: tight bounds cost time, not answers.
#[test]
fn bounds_hold() {
    let programs =
        [Program::c(&["-g"]), Program::c(&["-g", "-fno-pie", "-no-pie"]), Program::c(&["-gdwarf-4"])];
    let mut symbolizer = Symbolizer::new(SymbolizerOptions {
        modules_max: 2,
        memory_bytes_max: 40_000,
        answers_max: 2,
        ..SymbolizerOptions::default()
    });
    for _ in 0..3 {
        for program in &programs {
            let address = program.return_address("<load_user", "malloc");
            let frames = symbolizer.resolve(&program.module(), address, true);
            program.assert_c_frames(&frames, "under tight bounds");
        }
    }
    let modules = programs.each_ref().map(Program::module);
    let addresses = programs.each_ref().map(|program| program.return_address("<load_user", "malloc"));
    let order = [2, 0, 1, 0, 2];
    let questions = order.map(|index: usize| (&modules[index], addresses[index], true));
    for (index, frames) in order.iter().zip(symbolizer.resolve_all(&questions)) {
        programs[*index].assert_c_frames(&frames, "all at once");
    }
    let tiny = SymbolizerOptions { memory_bytes_max: 100, ..SymbolizerOptions::default() };
    let frames = Symbolizer::new(tiny).resolve(&modules[0], addresses[0], true);
    assert_eq!((frames[0].function.as_str(), frames[0].line), ("load_user", None), "names without lines");
    let stats = symbolizer.stats();
    assert!(stats.modules <= 2 && stats.held_bytes <= 40_000, "{stats:?}");
    assert!(stats.evictions > 0);
}
