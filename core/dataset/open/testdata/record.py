"""Records how Python's datasets library reads repositories and slices: layouts.json, slices.json, hub.parquet.

    pip install datasets==5.2.0 pillow && HF_HUB_OFFLINE=1 python record.py
"""
import io, json, pathlib, tempfile

import datasets
from PIL import Image

layouts = [
    {"files": f.split()} for f in [
        "data/train-00000-of-00001.csv data/test-00000-of-00001.csv",
        "data/validation_matched-00000-of-00001.csv data/train-00000-of-00001.csv",
        "data/train-00000-of-00001.csv other.csv",
        "data/train-00000-of-00002-abcd.csv data/train-00001-of-00002-abcd.csv",
        "validation_matched-00000-of-00001.csv",
        "train.csv test.csv validation.csv",
        "my_train_file.csv foo-dev.csv val.csv",
        "training_data.csv contest.csv",
        "train/a.csv train/b.csv test/c.csv",
        "x/train/a.csv x/eval/b.csv",
        "train/test_1.csv",
        "a.csv b.csv",
        "data/train.csv data/test.csv",
        "Train.csv TEST.csv",
        "train1.csv test2.csv",
        "trained.csv tests.csv",
        "a/train-x/b.csv",
        "test.csv",
        "dev/x.csv",
        "train_eval.csv",
        "splits/evaluation/x.csv testing.csv",
        ".hidden/train.csv __pycache__/test.csv a.csv",
        "a.csv b.csv c.txt",
        "a.jsonl b.json notes.txt",
        "a.tsv b.csv",
        "train.txt test.txt sub/deep/validation.txt",
    ]
] + [
    {"files": "a/x.csv b.csv c.csv".split(), "readme": r} for r in [
        "configs:\n- config_name: default\n  data_files: b.csv\n",
        "configs:\n- config_name: one\n  data_files:\n  - split: train\n    path: a/*.csv\n  - split: test\n    path: [b.csv, c.csv]\n",
        "configs:\n- config_name: one\n  data_dir: a\n- config_name: two\n  data_files: '*.csv'\n  default: true\n",
        "configs:\n- config_name: one\n  data_files: b.csv\n- config_name: default\n  data_files: c.csv\n",
        "configs:\n- config_name: one\n  data_files: b.csv\n- config_name: two\n  data_files: c.csv\n",
        "license: mit\n",
    ]
] + [
    {"files": "a/x.csv b.csv a/train.csv".split(), "kwargs": k} for k in [
        {"data_files": "b.csv"}, {"data_files": ["a/*.csv"]}, {"data_files": "**/x.csv"},
        {"data_files": {"test": "b.csv", "train": "a/*"}}, {"data_dir": "a"}, {"data_dir": "a", "data_files": "x.csv"}, {"data_files": "none.csv"},
    ]
]


def content(name):
    if name.endswith((".json", ".jsonl")):
        return json.dumps({"q": name}) + "\n"
    return name + "\n" if name.endswith(".txt") else "q\n" + name + "\n"


for case in layouts:
    root = pathlib.Path(tempfile.mkdtemp())
    for name in case["files"]:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content(name))
    if "readme" in case:
        (root / "README.md").write_text("---\n" + case["readme"] + "---\n# x\n")
    try:
        loaded = datasets.load_dataset(str(root), cache_dir=tempfile.mkdtemp(), **case.get("kwargs", {}))
        case["splits"] = {k: sorted(v[v.column_names[0]]) for k, v in loaded.items()}
    except Exception as e:
        case["error"] = type(e).__name__
pathlib.Path("layouts.json").write_text(json.dumps(layouts, indent=1) + "\n")

slices = []
root = pathlib.Path(tempfile.mkdtemp())
for split, rows in (("train", 157), ("test", 40)):
    (root / f"{split}.csv").write_text("q\n" + "".join(f"{i}\n" for i in range(rows)))
for text in ["train", "train[:10]", "train[10:20]", "train[-5:]", "train[:-5]", "train[:10%]", "train[10%:20%]", "train[-10%:]", "train[33%:67%]",
             "train[:1%]", "train[5%:5%]", "train[:300]", "test[:3]+train[:2]", "train+test", "all", "train[50%:]+test[:50%]", "train[99%:]"]:
    try:
        loaded = datasets.load_dataset(str(root), split=text, cache_dir=tempfile.mkdtemp())
        slices.append({"split": text, "rows": loaded["q"][:] if isinstance(loaded["q"][:], list) else list(loaded["q"])})
    except Exception as e:
        slices.append({"split": text, "error": type(e).__name__})
pathlib.Path("slices.json").write_text(json.dumps(slices) + "\n")

pictures = []
for size in ((5, 4), (6, 3)):
    b = io.BytesIO()
    Image.new("RGB", size, (9, 8, 7)).save(b, "PNG")
    pictures.append({"bytes": b.getvalue(), "path": "x.png"})
features = datasets.Features({
    "id": datasets.Value("int32"), "question": datasets.Value("string"), "long": datasets.Value("large_string"), "image": datasets.Image(),
    "images": datasets.List(datasets.Image()), "conversations": datasets.List({"from": datasets.Value("string"), "value": datasets.Value("string")}),
    "label": datasets.ClassLabel(names=["a", "b"]), "answers": {"text": datasets.List(datasets.Value("string"))},
})
rows = [{"id": i, "question": f"question {i}" if i != 2 else None, "long": f"long {i}", "image": pictures[i % 2], "images": pictures[: i % 3],
         "conversations": [{"from": "human", "value": f"hello {i}"}, {"from": "gpt", "value": "hi"}], "label": i % 2, "answers": {"text": ["x"]}} for i in range(4)]
datasets.Dataset.from_list(rows, features=features).to_parquet("hub.parquet")
