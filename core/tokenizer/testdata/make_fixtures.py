#!/usr/bin/env python3
"""Writes fixtures/: a small tokenizer.json for every component of the format, and what Hugging
Face's Rust library answers with it for the strings below.

    python3 -m venv v && v/bin/pip install tokenizers==0.23.2 sentencepiece==0.2.3 protobuf
    v/bin/python make_fixtures.py

Vocabularies are trained here, on the project's own text, so the files are free of other
people's licences.
"""
import gzip, io, json, os, random, tempfile
from tokenizers import Tokenizer, models, trainers, normalizers, pre_tokenizers, decoders
import sentencepiece

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.join(HERE, "fixtures")
TEXT = [l for l in open(os.path.join(HERE, "../../dataset/builtin/text.txt"), encoding="utf-8")][:1500]
TEXT += ["Été naïve café Straße İstanbul ΣΊΣΥΦΟΣ привет мир 日本語 漢字カナ 한국어 🙂 12 345 ½ ①"] * 20

STRINGS = [
    "", " ", "  ", "\n", " \n ", "\t\t a", "Hello, world!", "  two  spaces  ", "It's what they'd've said: 'no'.",
    "don't  DON'T do not I'm", "A.B.C. 3.14 1,000,000 v2.0", "12345678901234567890", "a1b22c333", "x" * 150, "x y" * 60,
    "naïve café", "nai\u0308ve cafe\u0301", "ÀÉÎÕÜ àéîõü", "Straße İstanbul ŉ ǰ ﬁ ﬃ", "ΣΊΣΥΦΟΣ σς", "①②½ﬁＡｂ㎏", "日本語 漢字カナー", "中文 mixed 英文",
    "한국어 각", "\u1112\u1161\u11ab", "привет мир", "مرحبا بالعالم", "नमस्ते", "🙂👨\u200d👩\u200d👧🇩🇪", "e\u0301\u0323 \u0323\u0301", "zero\u200bwidth\ufeff\u00ad",
    "a\u00a0b\u2003c\u3000d", "line one\r\nline two\n\n\nline three", "tab\tnul\u0000bell\u0007del\u007f", "▁under▁score ▁", "<s>hi</s> <unk> <mask>", "a<mask>b <mask> c",
    "say word now; wordy word", "SAY Word", "[CLS] [SEP] [UNK]", "code: if (x != y) { return a[i++]; }", "https://example.com/a-b_c?d=e&f=g#h", "x@y.z $5 50% #1 ~`^|\\",
    "-- - — – ‐", "“quotes” ‘single’", "don’t", "𝒳𝓎 𐍈 \U0001F9D1", "\ue000 private", "Ωμέγα ﷺ", "it was the best of times, it was the worst of times",
    "0x1F 1e10 ٣٤٥ Ⅷ", "aaaaaaaaaaaaaaaaaaaa", "     ", "a ", " a", "..!!??,,", "ſ ’ſ 'ſ", "\u0301start", "ends\u0301", "\u2581", "fi\ufb01", "end of text\u2028\u2029",
]


def base(model, trainer, normalizer=None, pre=None):
    t = Tokenizer(model)
    if normalizer:
        t.normalizer = normalizer
    t.pre_tokenizer = pre or pre_tokenizers.Whitespace()
    t.train_from_iterator(TEXT, trainer)
    return json.loads(t.to_str())


def added(content, **flags):
    d = dict(id=0, content=content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=False)
    d.update(flags)
    return d


def variant(doc, **parts):
    d = json.loads(json.dumps(doc))
    model = parts.pop("model", None)
    d.update(parts)
    if model:
        d["model"].update(model)
    return d


def metaspace(scheme="always", split=True):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split}


def split(pattern, behavior, invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def seq(kind, *parts):
    key = {"n": "normalizers", "p": "pretokenizers", "d": "decoders", "post": "processors"}[kind]
    return {"type": "Sequence", key: list(parts)}


def charsmap():
    """A small precompiled map of our own: case folding of a few letters, a ligature, blanks."""
    with tempfile.TemporaryDirectory() as d:
        rules = {"A": "a", "B": "b", "É": "é", "e\u0301": "é", "ﬁ": "fi", "①": "1", "½": "1/2", "\u3000": " ", "\u00a0": " ", "\t": " ",
                 "\u200b": "", "\u0007": "", "Ａ": "A", "㎏": "kg"}
        with open(os.path.join(d, "r.tsv"), "w") as f:
            for k, v in rules.items():
                f.write(" ".join("%X" % ord(c) for c in k) + "\t" + " ".join("%X" % ord(c) for c in v) + "\n")
        with open(os.path.join(d, "t.txt"), "w") as f:
            f.writelines(TEXT)
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(input=os.path.join(d, "t.txt"), model_writer=model, vocab_size=300, minloglevel=2,
                                                 normalization_rule_tsv=os.path.join(d, "r.tsv"), character_coverage=0.99)
        from sentencepiece import sentencepiece_model_pb2 as pb
        p = pb.ModelProto()
        p.ParseFromString(model.getvalue())
        import base64
        return base64.b64encode(p.normalizer_spec.precompiled_charsmap).decode()


def fixtures():
    small = 400
    bl = lambda **k: dict({"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}, **k)
    byte = base(models.BPE(), trainers.BpeTrainer(vocab_size=small + 200, special_tokens=["<s>", "</s>", "<mask>"],
                initial_alphabet=pre_tokenizers.ByteLevel.alphabet()), pre=pre_tokenizers.ByteLevel(add_prefix_space=False))
    yield "bpe_bytelevel", variant(byte, pre_tokenizer=bl(), decoder=bl(), post_processor=bl(trim_offsets=False))
    yield "bpe_bytelevel_prefix_roberta", variant(byte, pre_tokenizer=bl(add_prefix_space=True), decoder=bl(),
        post_processor={"type": "RobertaProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0], "trim_offsets": True, "add_prefix_space": True},
        added_tokens=[added("<s>", special=True), added("</s>", special=True, normalized=True), added("<mask>", special=True, lstrip=True)])
    yield "bpe_bytelevel_ignore_merges", variant(byte, pre_tokenizer=bl(), decoder=bl(), model={"ignore_merges": True})
    yield "bpe_bytelevel_normalizer", variant(byte, normalizer={"type": "ByteLevel"}, pre_tokenizer=None, decoder=bl(),
        added_tokens=[added("<mask>", normalized=True), added("naïve", normalized=True)])
    yield "bpe_bytelevel_then_digits", variant(byte, pre_tokenizer=seq("p", bl(use_regex=False), {"type": "Digits", "individual_digits": True}), decoder=bl())
    yield "bpe_digits_then_bytelevel", variant(byte, pre_tokenizer=seq("p", {"type": "Digits", "individual_digits": True}, bl()), decoder=bl(),
        post_processor=seq("post", bl(), {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
            {"SpecialToken": {"id": "</s>", "type_id": 0}}], "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]}, "</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}}))
    yield "bpe_bytelevel_nfc_regex", variant(byte, normalizer={"type": "NFC"}, decoder=bl(), pre_tokenizer=seq("p",
        split({"Regex": r"[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,2}|(?<=\d)[.,]|[\p{Han}&&[^日]]+|[^\s\p{L}\p{N}]++[\r\n]*|\s+(?!\S)|\s"}, "Isolated"), bl(use_regex=False)))
    fallback = [f"<0x{b:02X}>" for b in range(256)]
    spm = base(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True), trainers.BpeTrainer(vocab_size=small + 300,
               special_tokens=["<unk>", "<s>", "</s>"] + fallback, limit_alphabet=60), pre=pre_tokenizers.Metaspace())
    spm["added_tokens"] = [added("<unk>", special=True), added("<s>", special=True), added("</s>", special=True)]
    llama = seq("d", {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0})
    yield "bpe_spm_whole_text", variant(spm, pre_tokenizer=None, decoder=llama, normalizer=seq("n", {"type": "Prepend", "prepend": "▁"},
        {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}))
    yield "bpe_spm_metaspace_first", variant(spm, pre_tokenizer=metaspace("first", False), decoder=llama)
    yield "bpe_spm_metaspace_first_strip", variant(spm, normalizer={"type": "Strip", "strip_left": True, "strip_right": True}, pre_tokenizer=metaspace("first"), decoder=metaspace("first"))
    yield "bpe_spm_metaspace_never", variant(spm, pre_tokenizer=metaspace("never"), decoder=metaspace("never"))
    unk = variant(spm, model={"byte_fallback": False})
    yield "bpe_unk_fused", variant(unk, pre_tokenizer=metaspace(), decoder=metaspace())
    yield "bpe_unk_not_fused", variant(unk, pre_tokenizer=None, decoder=None, model={"fuse_unk": False})
    yield "bpe_no_unk", variant(unk, pre_tokenizer=None, decoder={"type": "Fuse"}, model={"unk_token": None})
    suffix = base(models.BPE(unk_token="<unk>", end_of_word_suffix="</w>"), trainers.BpeTrainer(vocab_size=small, special_tokens=["<unk>"], end_of_word_suffix="</w>"))
    yield "bpe_suffix", variant(suffix, normalizer=seq("n", {"type": "NFC"}, {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "}, {"type": "Lowercase"}),
        pre_tokenizer=split({"Regex": r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"}, "Removed", True), decoder={"type": "BPEDecoder", "suffix": "</w>"})
    prefix = base(models.BPE(unk_token="<unk>", continuing_subword_prefix="##"), trainers.BpeTrainer(vocab_size=small, special_tokens=["<unk>"], continuing_subword_prefix="##"))
    yield "bpe_prefix", variant(prefix, decoder={"type": "WordPiece", "prefix": "##", "cleanup": False})
    wp = base(models.WordPiece(unk_token="[UNK]"), trainers.WordPieceTrainer(vocab_size=small, special_tokens=["[UNK]", "[CLS]", "[SEP]"]),
              normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer())
    bert = {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}
    clssep = {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]}
    wpd = {"type": "WordPiece", "prefix": "##", "cleanup": True}
    yield "wordpiece_bert", variant(wp, normalizer=bert, pre_tokenizer={"type": "BertPreTokenizer"}, decoder=wpd, post_processor=clssep)
    yield "wordpiece_cased", variant(wp, normalizer=dict(bert, lowercase=False, handle_chinese_chars=False), pre_tokenizer={"type": "BertPreTokenizer"}, decoder=wpd,
        model={"max_input_chars_per_word": 10}, added_tokens=[added("word", single_word=True, normalized=True), added("SAY", rstrip=True, normalized=True), added("[CLS]", special=True)])
    yield "wordpiece_strip_accents_only", variant(wp, normalizer=dict(bert, lowercase=False, clean_text=False, strip_accents=True), pre_tokenizer={"type": "Whitespace"}, decoder=wpd)
    wl = base(models.WordLevel(unk_token="<unk>"), trainers.WordLevelTrainer(vocab_size=small, special_tokens=["<unk>"]))
    yield "wordlevel", variant(wl, pre_tokenizer={"type": "Whitespace"}, decoder=None)
    yield "wordlevel_lower", variant(wl, normalizer=seq("n", {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}), pre_tokenizer={"type": "WhitespaceSplit"},
        decoder={"type": "CTC", "pad_token": "<unk>", "word_delimiter_token": "the", "cleanup": True})
    uni = base(models.Unigram(), trainers.UnigramTrainer(vocab_size=small, special_tokens=["<unk>", "<s>", "</s>"], unk_token="<unk>"), pre=pre_tokenizers.Metaspace())
    uni["added_tokens"] = [added("<unk>", special=True), added("<mask>", lstrip=True), added("<s>", special=True)]
    yield "unigram_nmt", variant(uni, normalizer=seq("n", {"type": "Nmt"}, {"type": "NFKC"}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}),
        pre_tokenizer=metaspace(), decoder=metaspace())
    yield "unigram_strip", variant(uni, normalizer=seq("n", {"type": "Replace", "pattern": {"String": "``"}, "content": "\""}, {"type": "NFD"}, {"type": "StripAccents"}, {"type": "Strip", "strip_left": False, "strip_right": True}),
        pre_tokenizer=seq("p", {"type": "WhitespaceSplit"}, metaspace()), decoder=metaspace())
    yield "unigram_precompiled", variant(uni, normalizer={"type": "Precompiled", "precompiled_charsmap": charsmap()}, pre_tokenizer=metaspace("first"), decoder=metaspace("first"))
    ufall = variant(uni, model={"byte_fallback": True})
    ufall["model"]["vocab"] += [[f, -20.0] for f in fallback]
    yield "unigram_byte_fallback", variant(ufall, pre_tokenizer=metaspace("always", False), decoder=seq("d", {"type": "ByteFallback"}, metaspace()))
    # Pre-tokenizers, seen through a model of characters.
    chars = variant(unk, normalizer=None, decoder={"type": "Fuse"}, added_tokens=[], model={"fuse_unk": True})
    for b in ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"]:
        yield f"punctuation_{b}", variant(chars, pre_tokenizer={"type": "Punctuation", "behavior": b})
        for inv in (False, True):
            yield f"split_regex_{b}_{inv}", variant(chars, pre_tokenizer=split({"Regex": r"[aeiou]{1,2}|\d"}, b, inv))
        yield f"split_string_{b}", variant(chars, pre_tokenizer=split({"String": "e"}, b))
    yield "split_empty_match", variant(chars, pre_tokenizer=split({"Regex": r"(?=[A-Z])|(?<=,)|x*"}, "Isolated"))
    yield "split_lines", variant(chars, pre_tokenizer=split({"Regex": r"^.*$|\R"}, "Isolated"))
    yield "split_bloom", variant(chars, pre_tokenizer=split({"Regex": r" ?[^(\s|[.,!?…。，、।۔،])]+"}, "Isolated"))
    yield "split_any_case", variant(chars, pre_tokenizer=split({"Regex": r"(?i:don't|straße|[k-m]+)|\bw\w*?d\b|(?>a|ab)c"}, "Isolated"))
    yield "digits_contiguous", variant(chars, pre_tokenizer={"type": "Digits", "individual_digits": False})
    yield "digits_individual", variant(chars, pre_tokenizer={"type": "Digits", "individual_digits": True})
    yield "delimiter", variant(chars, pre_tokenizer={"type": "CharDelimiterSplit", "delimiter": "o"})
    yield "scripts", variant(chars, pre_tokenizer={"type": "UnicodeScripts"})
    yield "scripts_metaspace", variant(chars, pre_tokenizer=seq("p", {"type": "UnicodeScripts"}, metaspace("first")))
    yield "fixed_length", variant(chars, pre_tokenizer={"type": "FixedLength", "length": 4})
    yield "decoder_strip_replace", variant(chars, pre_tokenizer={"type": "WhitespaceSplit"}, decoder=seq("d", {"type": "Replace", "pattern": {"Regex": "[aeiou]+"}, "content": "-"},
        {"type": "Strip", "content": "t", "start": 1, "stop": 0}))


def sentencepieces():
    """Small tokenizer.model files and SentencePiece's own answers."""
    rules = {"A": "a", "ﬁ": "fi", "①": "1", "\u3000": " ", "\t": " ", "\n": " ", "\u200b": "", "e\u0301": "é"}
    with tempfile.TemporaryDirectory() as d:
        with open(os.path.join(d, "r.tsv"), "w") as f:
            for k, v in rules.items():
                f.write(" ".join("%X" % ord(c) for c in k) + "\t" + " ".join("%X" % ord(c) for c in v) + "\n")
        with open(os.path.join(d, "t.txt"), "w") as f:
            f.writelines(TEXT)
        for name, options in {
            "spm_bpe": dict(model_type="bpe", byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False),
            "spm_bpe_user": dict(model_type="bpe", user_defined_symbols=["<ud>", "quick"], normalization_rule_tsv=os.path.join(d, "r.tsv")),
            "spm_unigram": dict(model_type="unigram", normalization_rule_tsv=os.path.join(d, "r.tsv")),
            "spm_unigram_bytes": dict(model_type="unigram", byte_fallback=True, add_dummy_prefix=False, normalization_rule_name="identity"),
        }.items():
            model = io.BytesIO()
            sentencepiece.SentencePieceTrainer.train(input=os.path.join(d, "t.txt"), model_writer=model, vocab_size=700, minloglevel=2,
                                                     character_coverage=0.995, **options)
            with open(os.path.join(OUT, name + ".model"), "wb") as f:
                f.write(model.getvalue())
            sp = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
            for s in STRINGS:
                if "<s>" not in s and "<unk>" not in s and "\0" not in s:  # the reference does not look for these, ends at NUL
                    yield {"fixture": name, "text": s, "ids": sp.encode(s)}


def main():
    os.makedirs(OUT, exist_ok=True)
    lines = list(sentencepieces())
    for name, doc in fixtures():
        doc["truncation"] = doc["padding"] = None
        text = json.dumps(doc, ensure_ascii=False)
        t = Tokenizer.from_str(text)
        with open(os.path.join(OUT, name + ".json"), "w", encoding="utf-8") as f:
            f.write(text + "\n")
        for s in STRINGS:
            e, full = t.encode(s, add_special_tokens=False), t.encode(s)
            lines.append({"fixture": name, "text": s, "ids": e.ids, "ids_sp": full.ids, "off": full.offsets,
                          "dec": t.decode(e.ids, skip_special_tokens=False) if e.ids else "", "dec_skip": t.decode(e.ids, skip_special_tokens=True) if e.ids else ""})
    with gzip.GzipFile(os.path.join(OUT, "answers.jsonl.gz"), "wb", mtime=0) as f:
        for l in lines:
            f.write((json.dumps(l, ensure_ascii=False) + "\n").encode())


main()
