//! How letters are written where the keyboard lacks them.
//!
//! Owns the table. Must not know what is spelt with them.

/// A small letter as keyboards without it write it. Marks that are characters of their own vanish, and
/// what has no such writing stays as it is.
pub(super) fn plain(c: char) -> impl Iterator<Item = char> {
    let plain = match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
        'ğ' => "g",
        'ì'..='ï' | 'ī' | 'į' | 'ı' => "i",
        'ł' => "l",
        'ñ' | 'ń' | 'ň' => "n",
        'ò'..='ö' | 'ø' | 'ō' | 'ő' => "o",
        'œ' => "oe",
        'ř' => "r",
        'ś' | 'š' | 'ş' | 'ș' | 'ſ' => "s",
        'ß' => "ss",
        'ť' | 'ț' => "t",
        'ù'..='ü' | 'ū' | 'ů' | 'ű' => "u",
        'ý' | 'ÿ' => "y",
        'ź' | 'ž' | 'ż' => "z",
        '\u{300}'..='\u{36F}' | '™' | '®' => "",
        _ => return OneOrMore::One(Some(c)),
    };
    OneOrMore::More(plain.chars())
}

/// A character, or those that stand for it.
enum OneOrMore {
    One(Option<char>),
    More(std::str::Chars<'static>),
}

impl Iterator for OneOrMore {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        match self {
            Self::One(c) => c.take(),
            Self::More(chars) => chars.next(),
        }
    }
}
