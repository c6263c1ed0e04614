#!/usr/bin/env python3
"""Compares ids, ids with special tokens, offsets and decodes with Hugging Face's Rust library.

    python exact.py [--codepoints] [--fuzz N] [--seed N] [--corpus corpus.jsonl.gz] TOKENIZER.json...

Without options: every code point alone and in a context, and 2,000 random strings.
"""
import argparse, base64, gzip, json, os, random, struct, subprocess, sys, tempfile
from tokenizers import Tokenizer

HERE = os.path.dirname(os.path.abspath(__file__))


def answers(tokenizer, strings):
    """What this module answers; strings are bytes."""
    with tempfile.TemporaryDirectory() as d:
        binary = os.path.join(d, "compare")
        subprocess.run(["go", "build", "-o", binary, "."], cwd=HERE, check=True)
        with open(os.path.join(d, "in"), "wb") as f:
            for s in strings:
                f.write(struct.pack("<I", len(s)) + s)
        with open(os.path.join(d, "in"), "rb") as f:
            p = subprocess.Popen([binary, "answer", tokenizer], stdin=f, stdout=subprocess.PIPE)
            for line in p.stdout:
                yield json.loads(line)
            if p.wait() != 0:
                sys.exit(f"{tokenizer}: exit {p.returncode}")


def fuzz(n, seed, corpus):
    """Random strings: pieces of a corpus, special characters, random code points."""
    r = random.Random(seed)
    odd = list("  \t\n\r'\u00a0\u2003\u0085\u200b\u200d\ufe0f\u0301\u0323\u00ad\u2581\u0000\u007f1②½ſsStT.,/$_-#@")
    scripts = [(0x20, 0x7f), (0xa0, 0x250), (0x300, 0x370), (0x370, 0x530), (0x590, 0x700), (0x900, 0xe80), (0x1100, 0x1200),
               (0x1e00, 0x2000), (0x2000, 0x2100), (0x3040, 0x3100), (0x4e00, 0x5200), (0xac00, 0xad00), (0xfb00, 0xfe00),
               (0xff00, 0xfff0), (0x1f300, 0x1f700), (0x10000, 0x11000), (0xe0000, 0xe0080)]
    for _ in range(n):
        out = []
        for _ in range(r.randint(1, 12)):
            k = r.random()
            if k < 0.4 and corpus:
                s = r.choice(corpus)
                a = r.randrange(len(s) + 1)
                out.append(s[a:a + r.randint(1, 30)])
            elif k < 0.6:
                out.append("".join(r.choice(odd) for _ in range(r.randint(1, 4))))
            elif k < 0.9:
                lo, hi = r.choice(scripts)
                out.append("".join(chr(r.randrange(lo, hi)) for _ in range(r.randint(1, 6))))
            else:
                out.append(chr(r.choice([r.randrange(0xd800), r.randrange(0xe000, 0x110000)])))
        yield "".join(out)


def byte_offsets(text, spans):
    at, n = [0], 0
    for c in text:
        n += len(c.encode())
        at.append(n)
    return [[at[a], at[b]] for a, b in spans]


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--codepoints", action="store_true")
    a.add_argument("--step", type=int, default=1, help="of code points in a context")
    a.add_argument("--fuzz", type=int, default=2000)
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--corpus")
    a.add_argument("--ids", action="store_true", help="compare ids only")
    a.add_argument("tokenizers", nargs="+")
    o = a.parse_args()
    corpus = []
    if o.corpus:
        corpus = [base64.b64decode(json.loads(l)["raw_b64"]).decode("utf-8", "replace") for l in gzip.open(o.corpus)]
    failed = False
    for path in o.tokenizers:
        t = Tokenizer.from_file(path)
        t.no_truncation()
        t.no_padding()
        special = {x.content for x in t.get_added_tokens_decoder().values()}
        strings = list(fuzz(o.fuzz, o.seed, corpus + sorted(special)[:50]))
        if o.codepoints:
            cps = [c for c in range(0x110000) if not 0xd800 <= c <= 0xdfff]
            strings += [chr(c) for c in cps]
            strings += ["a" + chr(c) + "b " + chr(c) + chr(c) + "1" + chr(c) + "\n" + chr(c) for c in cps[::o.step]]
        differ, shown, i = {}, 0, 0
        got = answers(path, (s.encode() for s in strings))
        batch = 20000
        for start in range(0, len(strings), batch):
            part = strings[start:start + batch]
            plain = t.encode_batch(part, add_special_tokens=False)
            full = t.encode_batch(part, add_special_tokens=True)
            for s, e, f in zip(part, plain, full):
                g = next(got)
                want = [e.ids, f.ids, f.ids, byte_offsets(s, f.offsets)]
                names = ["ids", "ids_special", "ids_with_offsets", "offsets"]
                if o.ids:
                    want = want[:1]
                else:
                    want += [t.decode(e.ids, skip_special_tokens=False), t.decode(e.ids, skip_special_tokens=True)]
                    names += ["decoded", "decoded_skip"]
                for name, w, h in zip(names, want, g):
                    if w != h:
                        differ[name] = differ.get(name, 0) + 1
                        shown += 1
                        if shown <= 8:
                            print(f"  {path}: {name} of {s!r}\n    rust {w!r}\n    ours {h!r}")
        failed |= bool(differ)
        print(f"{path}: {len(strings)} strings, differences: {differ or 'none'}", flush=True)
    sys.exit(failed)


main()
