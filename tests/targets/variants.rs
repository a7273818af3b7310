//! variants: what variant.h is for C, for the Rust programs: `--what NAME`, the arguments of target.h, an even pace.
//! In: a table of steps. Out: one line, the same on every run.

use std::time::{Duration, Instant};

/// A variant's name and its step.
pub type Variant = (&'static str, fn(usize));

/// Runs the variant that the command line names; a mistake ends the program with 2.
pub fn run(program: &str, variants: &[Variant]) {
    let (mut what, mut objects, mut seconds) = (String::new(), 60_usize, 8.0_f64);
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    for pair in arguments.chunks(2) {
        match pair {
            [name, value] if name == "--what" => what.clone_from(value),
            [name, value] if name == "--objects" => objects = value.parse().expect("--objects N"),
            [name, value] if name == "--seconds" => seconds = value.parse().expect("--seconds S"),
            [name, _] if name == "--size" || name == "--threads" => {}
            _ => bad(program, variants),
        }
    }
    let Some((name, step)) = variants.iter().find(|(name, _)| *name == what) else {
        return bad(program, variants);
    };
    let start = Instant::now();
    for request in 0..objects {
        step(request);
        let due = Duration::from_secs_f64(seconds * (request + 1) as f64 / objects as f64);
        if let Some(ahead) = due.checked_sub(start.elapsed()) {
            std::thread::sleep(ahead);
        }
    }
    println!("{program}: {name}, {objects} steps");
}

fn bad(program: &str, variants: &[Variant]) {
    let names: Vec<&str> = variants.iter().map(|(name, _)| *name).collect();
    eprintln!("{program}: say --what NAME, one of: {}", names.join(" "));
    std::process::exit(2);
}
