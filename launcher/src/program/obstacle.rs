//! Launcher, program: what stands in the way of hooks. One variant per cause, with its words, its remedy, and how such a program is
//! watched all the same.

use std::ffi::OsString;
use std::path::Path;

use super::privileges::Privilege;
use super::{Environment, Image, Reach};

/// How a program is watched; the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// From outside; nothing is preloaded, into its children neither.
    Alone,
    /// From outside; what it starts may be hooked.
    Outside,
    /// By hooks, but its heap is not seen, or not all of it.
    Resources,
    /// By hooks.
    Hooks,
}

/// One cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// Another profiler is preloaded.
    Profiler(String),
    /// A Valgrind tool that has its own allocator.
    Valgrind(String),
    /// Built for another machine, in words.
    Foreign(&'static str),
    /// It gains rights when it is executed.
    Privileged(Privilege),
    /// Linked with musl.
    Musl,
    /// Built with a sanitizer.
    Sanitizer(&'static str),
    /// Go without cgo.
    StaticGo,
    /// Statically linked.
    Static,
    /// An allocator is linked into it.
    Allocator(&'static str, Reach),
    /// Go with cgo.
    Go,
}

impl Obstacle {
    /// How such a program is watched.
    pub fn way(&self) -> Way {
        match self {
            // The musl loader would end the program over a library of glibc's; another machine's would complain; a
            // privileged one takes no preload.
            Self::Profiler(_)
            | Self::Valgrind(_)
            | Self::Sanitizer(_)
            | Self::Foreign(_)
            | Self::Privileged(_)
            | Self::Musl => Way::Alone,
            Self::StaticGo | Self::Static => Way::Outside,
            Self::Allocator(..) | Self::Go => Way::Resources,
        }
    }

    /// What is so.
    pub fn why(&self) -> String {
        match self {
            Self::Profiler(name) => {
                format!("{name} is preloaded (LD_PRELOAD), and two heap profilers disturb each other")
            }
            Self::Valgrind(tool) => format!("Valgrind's {tool} replaces the allocator"),
            Self::Foreign(words) => format!("it is {words}, and the interposer is not"),
            Self::Privileged(privilege) => {
                format!("it is {}, so the loader takes no preload from us", privilege.words())
            }
            Self::Musl => "it is linked with musl, not glibc".to_owned(),
            Self::Sanitizer(name) => {
                format!("it is built with {name}, which has its own allocator and leak check")
            }
            Self::StaticGo => {
                "it is a Go program without cgo, statically linked, so no hook can be loaded".to_owned()
            }
            Self::Static => "it is statically linked, so no hook can be loaded".to_owned(),
            Self::Allocator(name, Reach::Everything) => format!("{name} is linked into it and serves malloc"),
            Self::Allocator(name, Reach::Some) => format!("{name} is linked into it under names of its own"),
            Self::Go => "Go's runtime asks the kernel itself, past libc".to_owned(),
        }
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Profiler(_) => "run it without that profiler",
            Self::Valgrind(_) => "run it without Valgrind, or with callgrind or cachegrind",
            Self::Foreign(_) => "use a build for this machine, or MemGuard on the other",
            Self::Privileged(_) => "run memguard as the user whose rights it gains",
            Self::Musl => "build it for glibc",
            Self::Sanitizer(_) => "build it without -fsanitize",
            Self::StaticGo | Self::Go => "for Go's heap use its own profiler (net/http/pprof)",
            Self::Static => "link it dynamically",
            Self::Allocator(..) => "link the allocator as a shared library, or build without it",
        }
    }

    /// One line for who starts such a program.
    pub fn notice(&self, name: &str) -> String {
        let seen = match self.way() {
            Way::Alone => "it is left alone and watched from outside (no heap, no stacks)",
            Way::Outside => "it is watched from outside (no heap, no stacks)",
            Way::Resources if *self == Self::Go => "what it makes that way is seen without a stack",
            Way::Resources => "what it allocates there is not seen, everything else is",
            Way::Hooks => "it is watched",
        };
        format!("{name}: {}; {seen}; to see more, {}", self.why(), self.remedy())
    }
}

/// What the file itself says.
pub fn of_image(image: &Image) -> Vec<Obstacle> {
    if let Some(words) = image.foreign {
        return vec![Obstacle::Foreign(words)];
    }
    let mut found = Vec::new();
    if image.is_musl() {
        found.push(Obstacle::Musl);
    }
    found.extend(image.sanitizer.map(Obstacle::Sanitizer));
    match (image.is_static, image.is_go) {
        (true, true) => found.push(Obstacle::StaticGo),
        (true, false) => found.push(Obstacle::Static),
        (false, true) => found.push(Obstacle::Go),
        (false, false) => {}
    }
    // A static program always has an allocator of its own.
    if !image.is_static
        && let Some((name, reach)) = image.allocator
    {
        found.push(Obstacle::Allocator(name, reach));
    }
    found
}

/// Valgrind's tools that leave the allocator as it is.
const VALGRIND_PLAIN: [&str; 4] = ["callgrind", "cachegrind", "lackey", "none"];

/// What the command's words say.
pub fn of_command(command: &[OsString], path: &Path, environment: &Environment) -> Option<Obstacle> {
    let named =
        |name: &Path| name.file_name().is_some_and(|name| name == "valgrind" || name == "valgrind.bin");
    if !named(path) && !command.first().is_some_and(|word| named(Path::new(word))) {
        return None;
    }
    let variable = environment.text("VALGRIND_OPTS");
    let words = command.iter().skip(1).map(|word| word.to_string_lossy().into_owned());
    let own = words.take_while(|word| word.starts_with('-'));
    let all = variable.split_whitespace().map(str::to_owned).chain(own);
    let tools = all.filter_map(|word| word.strip_prefix("--tool=").map(str::to_owned));
    let tool = tools.last().unwrap_or_else(|| "memcheck".to_owned());
    (!VALGRIND_PLAIN.contains(&tool.as_str())).then_some(Obstacle::Valgrind(tool))
}
