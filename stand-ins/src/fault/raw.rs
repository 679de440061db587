//! What a stand-in writes in the place of an answer that HTTP would take: bytes, as they are.
//!
//! Owns those bytes, and the body that unpacks to a hundred times its size. Must not know a route.

use std::time::Duration;

use hyper::body::Bytes;

use crate::wire::Raw;

/// Between two of the answers that come for ever. With less, whoever reads them would do nothing else.
const A_BREATH: Duration = Duration::from_millis(1);

/// How an answer can be wrong that is none by HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// Header after header, for ever and as fast as they are read.
    EndlessHead,
    /// A head of which one byte comes in a second.
    SlowHead,
    /// One provisional answer after the other (RFC 9110, 15.2), for ever: some sixty in a thousandth of a
    /// second.
    OnlyProvisional,
    /// Two lengths that differ: RFC 9112, 6.3, has it taken for an attack.
    TwoLengths,
    /// A length, and a coding by which there is none.
    LengthAndChunks,
    /// Chunks of which the second has no size.
    BadChunk,
    /// Another protocol's greeting.
    OtherProtocol,
    /// A version of HTTP that nobody asked for.
    OtherVersion,
}

impl Broken {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::EndlessHead,
        Self::SlowHead,
        Self::OnlyProvisional,
        Self::TwoLengths,
        Self::LengthAndChunks,
        Self::BadChunk,
        Self::OtherProtocol,
        Self::OtherVersion,
    ];

    /// Whether whoever reads has to give up by itself.
    pub(super) fn is_endless(self) -> bool {
        matches!(self, Self::SlowHead | Self::OnlyProvisional)
    }

    /// What is written in the place of an answer with this body.
    pub(super) fn bytes(self, body: &[u8]) -> Raw {
        let text = String::from_utf8_lossy(body);
        let size = body.len();
        let once = |text: String| Raw { once: Bytes::from(text), again: None };
        let then = |once: &'static str, again: &'static str, pause| Raw {
            once: Bytes::from_static(once.as_bytes()),
            again: Some((Bytes::from_static(again.as_bytes()), pause)),
        };
        match self {
            Self::EndlessHead => {
                then("HTTP/1.1 200 OK\r\n", "x-padding: 0123456789abcdef0123456789abcdef\r\n", Duration::ZERO)
            }
            Self::SlowHead => then("HTTP/1.1 200 OK\r\nx-padding: ", "x", Duration::from_secs(1)),
            Self::OnlyProvisional => {
                then("", "HTTP/1.1 103 Early Hints\r\nlink: </a>; rel=preload\r\n\r\n", A_BREATH)
            }
            Self::TwoLengths => once(format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {size}\r\n\
                 content-length: {}\r\n\r\n{text}",
                size + 1
            )),
            Self::LengthAndChunks => once(format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 3\r\n\
                 transfer-encoding: chunked\r\n\r\n{size:x}\r\n{text}\r\n"
            )),
            Self::BadChunk => once(format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n\
                 {size:x}\r\n{text}\r\nnot a size\r\n"
            )),
            Self::OtherProtocol => once("SSH-2.0-OpenSSH_9.6\r\n\r\n".to_owned()),
            Self::OtherVersion => once(format!("HTTP/9.9 200 OK\r\ncontent-length: {size}\r\n\r\n{text}")),
        }
    }
}

/// A gzip file that unpacks to so many bytes, and has less than a hundredth of them. Each run is one
/// pair of fixed Huffman codes: a length of 258, and a distance of one. RFC 1951, 3.2.6; its checksum
/// is wrong, which nobody learns who unpacks it all.
pub(super) fn bomb(bytes: usize) -> Vec<u8> {
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    let (mut bits, mut held) = (0_u64, 0_u32);
    let mut put = |value: u64, length: u32| {
        bits |= value << held;
        held += length;
        while held >= 8 {
            file.push(u8::try_from(bits & 0xff).unwrap_or_default());
            bits >>= 8;
            held -= 8;
        }
    };
    // The last block, by the fixed codes; and the byte that is repeated, which is a blank: 0x30 + 0x20.
    put(0b011, 3);
    put(u64::from(0x50_u8.reverse_bits()), 8);
    for _ in 0..bytes / 258 {
        put(u64::from(0b1100_0101_u8.reverse_bits()), 8);
        put(0, 5);
    }
    // The end of the block, and what fills its last byte.
    put(0, 7);
    put(0, 7);
    file.extend([0; 8]);
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_is_small() {
        let small = bomb(100 << 20);
        assert!(small.len() < 1 << 20, "{}", small.len());
        assert_eq!(small.get(..2), Some(&[0x1f, 0x8b][..]));
    }
}
