//! Patterns of the operators LIKE and GLOB, as SQLite reads them (sqlite.org, `lang_expr`, section 5).

/// Bytes of a pattern at most, as in SQLite (`SQLITE_MAX_LIKE_PATTERN_LENGTH`).
const BYTES_MAX: usize = 50_000;

/// A pattern longer than patterns may be.
#[derive(Debug)]
pub(crate) struct TooComplex;

/// One part of a pattern.
#[derive(Debug)]
enum Part {
    /// Any number of characters.
    Any,
    /// Any character.
    One,
    /// This character, or under LIKE also its other case in ASCII.
    Char { char: char, any_case: bool },
    /// A character inside, or outside, of these ranges.
    Set { ranges: Vec<(char, char)>, outside: bool },
    /// What matches nothing: the pattern ends in the middle of a set or after an escape.
    Nothing,
}

impl Part {
    fn takes(&self, given: char) -> bool {
        match self {
            Self::Any | Self::Nothing => false,
            Self::One => true,
            Self::Char { char, any_case: false } => *char == given,
            Self::Char { char, any_case: true } => char.eq_ignore_ascii_case(&given),
            Self::Set { ranges, outside } => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&given)) != *outside
            }
        }
    }
}

/// A pattern, taken apart.
#[derive(Debug)]
pub(crate) struct Pattern(Vec<Part>);

impl Pattern {
    /// `%` any characters, `_` one; `escape` takes the next character as it is.
    pub(crate) fn like(text: &str, escape: Option<char>) -> Result<Self, TooComplex> {
        Self::parts(text, |chars, next| {
            if Some(next) == escape {
                chars.next().map_or(Part::Nothing, |char| Part::Char { char, any_case: true })
            } else {
                match next {
                    '%' => Part::Any,
                    '_' => Part::One,
                    char => Part::Char { char, any_case: true },
                }
            }
        })
    }

    /// `*` any characters, `?` one, `[a-z]` and `[^a-z]` one of a set.
    pub(crate) fn glob(text: &str) -> Result<Self, TooComplex> {
        Self::parts(text, |chars, next| match next {
            '*' => Part::Any,
            '?' => Part::One,
            '[' => set(chars),
            char => Part::Char { char, any_case: false },
        })
    }

    fn parts(
        text: &str,
        part: impl Fn(&mut std::str::Chars<'_>, char) -> Part,
    ) -> Result<Self, TooComplex> {
        if text.len() > BYTES_MAX {
            return Err(TooComplex);
        }
        let mut chars = text.chars();
        let mut parts = Vec::new();
        while let Some(next) = chars.next() {
            parts.push(part(&mut chars, next));
        }
        Ok(Self(parts))
    }

    /// Whether the whole text matches, in at most the product of both lengths: only the last part that
    /// takes any number of characters is ever given more of them.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let (mut rest, mut part) = (text, 0);
        // After the last `Any`: the part that follows it, and what was left when it was tried.
        let mut retry: Option<(usize, &str)> = None;
        loop {
            let next = rest.chars().next();
            match (self.0.get(part), next) {
                (None, None) => return true,
                (Some(Part::Any), _) => {
                    part += 1;
                    retry = Some((part, rest));
                }
                (Some(this), Some(char)) if this.takes(char) => {
                    part += 1;
                    rest = &rest[char.len_utf8()..];
                }
                (_, None) => return false,
                (_, Some(_)) => {
                    let Some((after, tried)) = retry else { return false };
                    let mut fewer = tried.chars();
                    if fewer.next().is_none() {
                        return false;
                    }
                    (part, rest) = (after, fewer.as_str());
                    retry = Some((part, rest));
                }
            }
        }
    }
}

/// A set, its opening bracket read.
fn set(chars: &mut std::str::Chars<'_>) -> Part {
    let mut ranges = Vec::new();
    let mut next = chars.next();
    let outside = next == Some('^');
    if outside {
        next = chars.next();
    }
    // A closing bracket that comes first stands for itself.
    if next == Some(']') {
        ranges.push((']', ']'));
        next = chars.next();
    }
    let mut before = None;
    while let Some(char) = next.filter(|char| *char != ']') {
        let ahead = chars.clone().next();
        match (char, before, ahead) {
            ('-', Some(from), Some(to)) if to != ']' => {
                chars.next();
                ranges.push((from, to));
                before = None;
            }
            _ => {
                ranges.push((char, char));
                before = Some(char);
            }
        }
        next = chars.next();
    }
    if next.is_none() { Part::Nothing } else { Part::Set { ranges, outside } }
}
