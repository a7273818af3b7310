//! Report, suppressions: patterns with wildcards, as all three formats have them.
//! In: the text of a pattern in its format's syntax. Out: whether a name matches as a whole.

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Vec<Token>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Token {
    Letter(char),
    /// `?`: any one character.
    One,
    /// `*`: any number of characters, also none.
    Run,
}

impl Glob {
    /// Our own syntax: `*`, `?`, and `\` takes the meaning from what follows.
    pub fn own(text: &str) -> Self {
        let mut tokens = Vec::new();
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            tokens.push(match letter {
                '*' => Token::Run,
                '?' => Token::One,
                '\\' => Token::Letter(letters.next().unwrap_or('\\')),
                letter => Token::Letter(letter),
            });
        }
        Self(tokens)
    }

    /// Valgrind's: `*` and `?`, without an escape.
    pub fn valgrind(text: &str) -> Self {
        Self(text.chars().map(|letter| Self::wildcard(letter, true)).collect())
    }

    /// `LeakSanitizer`'s: found anywhere in the name unless held to its beginning by `^` or to its end by `$`, `*` is any number
    /// of characters. What follows `$` says nothing.
    pub fn leak_sanitizer(text: &str) -> Self {
        let (text, from_start) = text.strip_prefix('^').map_or((text, false), |rest| (rest, true));
        let (text, to_end) = text.split_once('$').map_or((text, false), |(head, _)| (head, true));
        let lead = (!from_start).then_some(Token::Run);
        let tail = (!to_end).then_some(Token::Run);
        let body = text.chars().map(|letter| Self::wildcard(letter, false));
        Self(lead.into_iter().chain(body).chain(tail).collect())
    }

    fn wildcard(letter: char, has_one: bool) -> Token {
        match letter {
            '*' => Token::Run,
            '?' if has_one => Token::One,
            letter => Token::Letter(letter),
        }
    }

    /// A text in our own syntax that matches this name and no other.
    pub fn quoted(name: &str) -> String {
        let mut text = String::new();
        for letter in name.chars() {
            if matches!(letter, '*' | '?' | '\\') {
                text.push('\\');
            }
            text.push(letter);
        }
        text
    }

    /// Whether it says anything beside "any text".
    pub fn has_letters(&self) -> bool {
        self.0.iter().any(|token| matches!(token, Token::Letter(_)))
    }

    /// Whether it matches the whole name. Takes time in proportion to the product of both lengths at most.
    pub fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let (mut token, mut letter) = (0, 0);
        // Where to go on if what follows the last run does not fit: the run takes one more.
        let mut retry: Option<(usize, usize)> = None;
        while letter < name.len() {
            match self.0.get(token) {
                Some(Token::Run) => {
                    retry = Some((token + 1, letter));
                    token += 1;
                }
                Some(Token::One) => (token, letter) = (token + 1, letter + 1),
                Some(Token::Letter(wanted)) if Some(wanted) == name.get(letter) => {
                    (token, letter) = (token + 1, letter + 1);
                }
                _ => match retry {
                    Some((after, from)) => {
                        retry = Some((after, from + 1));
                        (token, letter) = (after, from + 1);
                    }
                    None => return false,
                },
            }
        }
        self.0.get(token..).is_some_and(|rest| rest.iter().all(|token| *token == Token::Run))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_whole_names() {
        let cases = [
            ("", "", true),
            ("", "a", false),
            ("*", "", true),
            ("*", "anything", true),
            ("a*c", "abc", true),
            ("a*c", "abcd", false),
            ("a*b*c", "aXbYbZc", true),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*aab", "aaaab", true),
            ("**", "x", true),
            ("é?", "éü", true),
        ];
        for (glob, name, expected) in cases {
            assert_eq!(Glob::own(glob).matches(name), expected, "{glob} on {name}");
            assert_eq!(Glob::valgrind(glob).matches(name), expected, "{glob} on {name}");
        }
        assert!(
            Glob::own(r"operator\*").matches("operator*") && !Glob::own(r"operator\*").matches("operatorX")
        );
        assert!(Glob::own(r"a\").matches(r"a\"));
        for name in ["operator*", "what?", r"back\slash", "std::vector<int*>::push_back", ""] {
            let quoted = Glob::own(&Glob::quoted(name));
            assert!(quoted.matches(name) && !quoted.matches(&format!("{name}x")), "{name}");
        }
        let nasty = Glob::own(&"*a".repeat(500));
        assert!(!nasty.matches(&"a".repeat(499)) && nasty.matches(&"a".repeat(500)));
    }

    /// Goal: the sanitizer's rules. Method: the examples of its documentation and their neighbours.
    #[test]
    fn anchors_and_substrings() {
        let cases = [
            ("foo", "libfoo.so.1", true),
            ("^foo", "libfoo.so.1", false),
            ("^lib*.so", "libfoo.so.1", true),
            ("so.1$", "libfoo.so.1", true),
            ("so$", "libfoo.so.1", false),
            ("^libfoo.so.1$", "libfoo.so.1", true),
            ("lib*so$", "libfoo.so.so", true),
            ("f?o", "fxo", false),
            ("f?o", "f?o", true),
            ("*", "x", true),
            ("a$ignored", "ba", true),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(Glob::leak_sanitizer(pattern).matches(name), expected, "{pattern} on {name}");
        }
    }
}
