//! Report: the place of a finding in one short word.
//! In: a resolved stack, the frame that gives the place. Out: `file.c:142`, else `function (module)`, else `module+0x1234`.

use std::path::Path;

use memguard_symbolize::Frame;

/// Location of what no hook saw being made.
const WITHOUT_STACK: &str = "no stack (seen by the kernel alone)";

/// The place at this frame; `None` where there is no stack.
pub fn location(stack: &[Frame], at: Option<usize>) -> String {
    let Some(frame) = at.and_then(|index| stack.get(index)) else {
        return WITHOUT_STACK.to_owned();
    };
    match (&frame.file, frame.line) {
        (Some(file), Some(line)) => format!("{}:{line}", base_name(file)),
        _ if frame.is_named() => format!("{} ({})", frame.function, frame.module),
        _ => frame.function.clone(),
    }
}

/// The last part of a path.
pub fn base_name(path: &str) -> &str {
    Path::new(path).file_name().and_then(|name| name.to_str()).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use memguard_symbolize::location_index;

    fn frame(function: &str, file: Option<&str>, line: Option<u32>) -> Frame {
        Frame {
            function: function.to_owned(),
            file: file.map(str::to_owned),
            line,
            module: "server".to_owned(),
            address: 0x1234,
            inlined: false,
        }
    }

    /// Goal: the best that is known, in the form the contract fixes.
    #[test]
    fn best_known_form() {
        let location = |stack: &[Frame]| location(stack, location_index(stack));
        let malloc = frame("malloc", None, None);
        let full = frame("accept_loop", Some("/src/net/server.c"), Some(142));
        assert_eq!(location(&[malloc.clone(), full]), "server.c:142");
        let named = frame("accept_loop", Some("server.c"), None);
        assert_eq!(location(&[malloc.clone(), named]), "accept_loop (server)");
        let unnamed = frame("server+0x1234", None, None);
        assert_eq!(location(&[malloc, unnamed]), "server+0x1234");
        assert_eq!(location(&[]), WITHOUT_STACK);
    }
}
