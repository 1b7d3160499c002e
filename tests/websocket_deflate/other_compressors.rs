//! Messages that Python's zlib has compressed, with strategies that the compressor here does not know.

use super::{eager, pair, without_context};

struct Sample {
    what: &'static str,
    message: fn() -> Vec<u8>,
    payload: &'static str,
}

const JSON: &str = r#"{"type":"message","room":"general","text":"Good morning, everybody"}"#;

/// `zlib.compressobj(level, zlib.DEFLATED, -bits, memory, strategy)`, flushed with `Z_SYNC_FLUSH`, without the tail.
const SAMPLES: [Sample; 6] = [
    Sample {
        what: "level 6: fixed codes",
        message: || JSON.into(),
        payload: "aa562aa92c4855b252ca4d2d2e4e4c4f55d2512acacfcf050aa4a7e6a51625e600054a522b4a8002eef9f9290ab9f945799979e93a0aa9\
                  65a9459549f929954ab50000",
    },
    Sample {
        what: "level 9, Z_HUFFMAN_ONLY: codes of its own, no references",
        message: || JSON.into(),
        payload: "04c1510a80201004d0abc87c7b022fd0390c07095a27568996e8eebdf762c5451418e7ac9dc870c950d039e8f544c6e2b350b0492d99\
                  7c1ca3e7c49b1ebb5ae0fb01",
    },
    Sample { what: "Z_RLE: a run", message: || vec![b'a'; 1000], payload: "4a1c05a360140c7b0000" },
    Sample {
        what: "level 9: codes of its own",
        message: || (0..60).map(|n| format!("{},", n * n)).collect::<String>().into_bytes(),
        payload: "148ec101c030080217e2a1c69ab8ff623d5e240a78a1546b95a3fa7446bd9ad64b6584b2d06eb638160b9efad0b73ad5f849e3eb465feb\
                  abd57747836fd0cbff327fec17df8e7b0966d0904955ba338bf23cbed23ef7f9ee18604c7221cad76680b0c21469e28a559d68554742\
                  46a2c6afebd9f376f11d270efd8686fcd0779ae61f",
    },
    Sample {
        what: "level 0: stored",
        message: || b"stored as it is".into(),
        payload: "000f00f0ff73746f72656420617320697420697300",
    },
    Sample {
        what: "several blocks, the last of them final",
        message: || b"stored as it isHello".into(),
        payload: "000f00f0ff73746f726564206173206974206973f348cdc9c9070000",
    },
];

impl Sample {
    fn payload(&self) -> Vec<u8> {
        let digits: Vec<u8> = self.payload.bytes().map(|digit| char::from(digit).to_digit(16).unwrap() as u8).collect();
        digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
    }
}

#[test]
fn what_python_has_compressed_is_read_however_it_is_cut() {
    for config in [eager(), without_context()] {
        let (_, mut server) = pair(&config, &config);
        for sample in &SAMPLES {
            let (payload, message) = (sample.payload(), (sample.message)());
            for cut in 0..=payload.len() {
                let mut out = Vec::new();
                server.decompress(&payload[..cut], false, &mut out, None).unwrap();
                server.decompress(&payload[cut..], true, &mut out, None).unwrap();
                assert_eq!(out, message, "{}, cut at {cut}", sample.what);
            }
            let mut out = Vec::new();
            for byte in &payload {
                server.decompress(&[*byte], false, &mut out, None).unwrap();
            }
            server.decompress(&[], true, &mut out, None).unwrap();
            assert_eq!(out, message, "{}, byte by byte", sample.what);
        }
    }
}

#[test]
fn a_message_that_ends_too_early_is_none() {
    for sample in &SAMPLES {
        let payload = sample.payload();
        for cut in 0..payload.len() {
            let (_, mut server) = pair(&without_context(), &without_context());
            let cut_off = server.decompress(&payload[..cut], true, &mut Vec::new(), None);
            // But for what is the empty message, and for what ends with a final block.
            let is_whole =
                payload[..cut] == [0x00] || payload[..cut].ends_with(&[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]);
            assert_eq!(cut_off.is_ok(), is_whole, "{}, cut at {cut}", sample.what);
        }
    }
}

#[test]
fn a_message_that_ends_too_early_is_found_with_the_next_at_the_latest() {
    for sample in &SAMPLES {
        let payload = sample.payload();
        for cut in (0..payload.len() - 1).filter(|cut| payload[..*cut] != [0x00]) {
            let (_, mut server) = pair(&eager(), &eager());
            let mut out = Vec::new();
            let is_found = server.decompress(&payload[..cut], true, &mut out, None).is_err()
                || server.decompress(&payload, true, &mut out, None).is_err();
            assert!(is_found, "{}, cut at {cut}", sample.what);
        }
    }
}
