//! Rates of Hugging Face's tokenizers and GitHub's bpe crate on one thread, in MB/s.
//!
//!     compare-rust hf TOKENIZER.json TEXT...
//!     compare-rust bpe cl100k|o200k TEXT...
//!
//! Documents and timing are those of `compare speed`: pieces of about 8 kB at ends of lines, the
//! best of passes over two seconds.
use std::time::{Duration, Instant};

fn documents(text: &str) -> Vec<&str> {
    let (mut docs, mut rest) = (vec![], text);
    while rest.len() > 8192 {
        match rest.as_bytes()[8192..].iter().position(|b| *b == b'\n') {
            Some(n) => {
                docs.push(&rest[..8192 + n + 1]);
                rest = &rest[8192 + n + 1..];
            }
            None => break,
        }
    }
    docs.push(rest);
    docs
}

fn measure(files: &[String], mut count: impl FnMut(&str) -> usize) {
    for file in files {
        let data = std::fs::read(file).expect("read text");
        let text = String::from_utf8_lossy(&data);
        let docs = documents(&text);
        let (mut best, mut tokens) = (Duration::MAX, 0);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(2) {
            let start = Instant::now();
            tokens = docs.iter().map(|d| count(d)).sum();
            best = best.min(start.elapsed());
        }
        println!("{} {:.2} {}", file, text.len() as f64 / 1e6 / best.as_secs_f64(), tokens);
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("hf") => {
            let mut t = tokenizers::Tokenizer::from_file(&args[1]).expect("load tokenizer");
            t.with_truncation(None).expect("no truncation");
            t.with_padding(None);
            measure(&args[2..], |d| t.encode_fast(d, false).expect("encode").len());
        }
        Some("bpe") => {
            let t = match args[1].as_str() {
                "cl100k" => bpe_openai::cl100k_base(),
                _ => bpe_openai::o200k_base(),
            };
            measure(&args[2..], |d| t.encode(d).len());
        }
        _ => {
            eprintln!("usage: compare-rust hf TOKENIZER.json TEXT... | compare-rust bpe cl100k|o200k TEXT...");
            std::process::exit(2);
        }
    }
}
