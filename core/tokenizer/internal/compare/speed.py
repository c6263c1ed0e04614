#!/usr/bin/env python3
"""Prints a table of rates (MB/s, one core, warm): this module beside Hugging Face's Rust library, OpenAI's
tiktoken and GitHub's bpe crate, on the same texts in the same run.

    python speed.py [--golden FOLDER] [--only gpt2,llama3]

FOLDER holds tokenizers.tar.xz and speed-texts.tar.xz. Needs go, cargo and tiktoken (pip install tiktoken==0.14.0).
"""
import argparse, base64, os, shutil, subprocess, sys, tarfile, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = ["gpt2", "gpt4o", "gptoss", "llama3", "qwen3", "deepseek_v3", "llama2", "gemma3", "bert", "t5"]
TEXTS = ["en.txt", "code.txt", "cjk.txt", "ru.txt"]
# The vocabularies that the other two have as well.
TIKTOKEN = {"gpt2": "r50k_base", "gpt4o": "o200k_base", "gptoss": "o200k_base"}
BPE = {"gpt4o": "o200k", "gptoss": "o200k"}


def rates(command, cwd):
    out = subprocess.run(["taskset", "-c", "0"] + command, cwd=cwd, check=True, capture_output=True, text=True,
                         env=dict(os.environ, GOMAXPROCS="1", RAYON_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false")).stdout
    return {l.split()[0]: (float(l.split()[1]), int(l.split()[2])) for l in out.splitlines()}


def tiktoken_rates(encoding, folder):
    import tiktoken, tiktoken_ext.openai_public as public
    module = subprocess.run(["go", "list", "-m", "-f", "{{.Dir}}", "github.com/pkoukk/tiktoken-go-loader"], cwd=HERE,
                            check=True, capture_output=True, text=True).stdout.strip()
    lines = open(os.path.join(module, "assets", encoding + ".tiktoken"), "rb").read().split(b"\n")
    ranks = {base64.b64decode(l.split()[0]): int(l.split()[1]) for l in lines if l}
    public.load_tiktoken_bpe = lambda *a, **k: ranks
    t = tiktoken.Encoding(**getattr(public, encoding)())
    out = {}
    for name in TEXTS:
        text = open(os.path.join(folder, name), encoding="utf-8", errors="replace", newline="").read()
        docs, best = documents(text), 1e9
        end = time.time() + 2
        while time.time() < end:
            start = time.perf_counter()
            n = sum(len(t.encode_ordinary(d)) for d in docs)
            best = min(best, time.perf_counter() - start)
        out[name] = (len(text.encode()) / 1e6 / best, n)
    return out


def documents(text):
    data, docs = text.encode(), []
    while len(data) > 8192:
        n = data.find(b"\n", 8192)
        if n < 0:
            break
        docs.append(data[:n + 1].decode())
        data = data[n + 1:]
    return docs + [data.decode()]


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--golden", default=os.environ.get("GENAI_BENCH_GOLDEN", os.path.join(HERE, "../../../../../shared/golden")))
    a.add_argument("--only")
    o = a.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {0})
    names = o.only.split(",") if o.only else NAMES
    target = os.environ.get("CARGO_TARGET_DIR", os.path.join(HERE, "rust/target"))
    with tempfile.TemporaryDirectory() as d:
        subprocess.run(["go", "build", "-o", os.path.join(d, "compare"), "."], cwd=HERE, check=True)
        subprocess.run(["cargo", "build", "--release", "-q"], cwd=os.path.join(HERE, "rust"), check=True,
                       env=dict(os.environ, CARGO_TARGET_DIR=target))
        rust = os.path.join(os.path.abspath(target), "release/compare-rust")
        for archive in ["tokenizers.tar.xz", "speed-texts.tar.xz"]:
            with tarfile.open(os.path.join(o.golden, "tokenizer", archive)) as t:
                t.extractall(d)
        print("| tokenizer | text | ours MB/s | Hugging Face | times | tiktoken | bpe crate |\n|---|---|---|---|---|---|---|", flush=True)
        for name in names:
            ours = rates([os.path.join(d, "compare"), "speed", name + "/tokenizer.json"] + TEXTS, d)
            hf = rates([rust, "hf", name + "/tokenizer.json"] + TEXTS, d)
            bpe = rates([rust, "bpe", BPE[name]] + TEXTS, d) if name in BPE else {}
            tik = tiktoken_rates(TIKTOKEN[name], d) if name in TIKTOKEN else {}
            for text in TEXTS:
                for other in (hf, bpe, tik):
                    if text in other and other[text][1] != ours[text][1]:
                        sys.exit(f"{name}, {text}: {ours[text][1]} tokens here, {other[text][1]} there")
                cell = lambda r: f"{r[text][0]:.1f}" if text in r else ""
                print(f"| {name} | {text[:-4]} | {cell(ours)} | {cell(hf)} | {ours[text][0] / hf[text][0]:.0f} | {cell(tik)} | {cell(bpe)} |", flush=True)


main()
