//! How new inputs are made of known ones, by a seed.
//!
//! Owns the dice and the changes: bits, pieces that are left out, doubled or brought from another input, numbers
//! at which programs break, and words of the formats. What finds its way by what it covers is libFuzzer's to do.

/// The generator of choices: SplitMix64.
pub struct Dice(u64);

/// Longest input that is made, in bytes.
const LIMIT: usize = 4096;

/// Numbers at which programs break.
const NUMBERS: [&str; 16] = [
    "0",
    "-1",
    "1e400",
    "-0",
    "255",
    "65536",
    "4294967296",
    "9223372036854775808",
    "18446744073709551616",
    "1e9",
    "0.5",
    "NaN",
    "inf",
    "00",
    "+1",
    "1e-400",
];

/// Words that mean something in one format or another, and what breaks formats.
const WORDS: [&str; 72] = [
    "\0",
    "\u{FEFF}",
    "\u{202E}",
    "\u{200B}",
    "\u{FFFD}",
    "İ",
    "ß",
    "\u{1F600}",
    "\r\n",
    "\n",
    "\t",
    "\\u0000",
    "\\ud83d",
    "\\ude00",
    "\\\"",
    "%00",
    "%ff",
    "%E2%80%AE",
    "%",
    "&",
    "=",
    "+",
    ";",
    "&amp;",
    "&lt;",
    "<",
    ">",
    "<!here>",
    "<@U1>",
    "<https://x|y>",
    "`",
    "*",
    "_",
    "~",
    "\"",
    "'",
    "“",
    "#",
    "{",
    "}",
    "[",
    "]",
    "{}",
    "[]",
    "null",
    "true",
    "false",
    ",",
    ", ",
    ":",
    ".",
    "/",
    "-",
    " to ",
    " and ",
    "google_ads",
    "stripe",
    "acme",
    "status ",
    "c4n4ry",
    "export ",
    "payload=",
    "type",
    "id",
    "ok",
    "data",
    "items",
    "{customer}",
    "{service}",
    "schema",
    "services",
    "\u{0}=\u{0}",
];

impl Dice {
    /// Dice that fall as the seed says.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below another one.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).unwrap_or(u64::MAX)).unwrap_or_default()
    }

    /// Makes an input of one of these, which is changed in one to four places.
    #[must_use]
    pub fn mutated(&mut self, known: &[Vec<u8>]) -> Vec<u8> {
        let mut input = known[self.below(known.len())].clone();
        for _ in 0..=self.below(4) {
            let other = &known[self.below(known.len())];
            self.change(&mut input, other);
        }
        input.truncate(LIMIT);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(input.len() + 1);
        let end = (at + 1 + self.below(24)).min(input.len());
        let piece = at.min(end)..end;
        match self.below(9) {
            0 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << self.below(8);
                }
            }
            1 => {
                input.drain(piece);
            }
            2 => {
                let doubled = input[piece].repeat(1 + self.below(20));
                input.splice(at..at, doubled);
            }
            3 => input.truncate(at),
            4 => {
                let from = self.below(other.len() + 1);
                let to = (from + self.below(40)).min(other.len());
                input.splice(piece, other[from..to].iter().copied());
            }
            5 => {
                let number = NUMBERS[self.below(NUMBERS.len())];
                // In the place of a number, if there is one.
                let digits = input[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                input.splice(at..at + digits, number.bytes());
            }
            6 | 7 => {
                let word = WORDS[self.below(WORDS.len())];
                input.splice(at..at, word.bytes());
            }
            _ => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = u8::try_from(self.below(256)).unwrap_or_default();
                }
            }
        }
    }
}
