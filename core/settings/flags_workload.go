package settings

// workload declares the flags that say what is sent.
func (b *Benchmark) workload(d declarer) {
	d.text(&b.ModelTokenizer, "model-tokenizer", "tokenizer: a folder, a tokenizer.json, or a Hugging Face name")
	d.list(&b.Scenarios, "traffic-scenario", "sizes of requests, repeatable; text: D(in,out), N(mean,sd)/(mean,sd), U(min,max)/(min,max), P(prefix,in)/out; embeddings: E(in); rerank: R(document,query); images: I(width,height,number); speech: A(characters); dataset: its entries as they are; default by task")
	d.text(&b.DatasetPath, "dataset-path", "what prompts are made of: a file (.txt, .csv, .tsv, .json, .jsonl, .parquet), a folder of pictures or in the hub's layout, or a dataset of the Hugging Face hub; default is a built-in public-domain text, and synthetic pictures")
	d.text(&b.DatasetPromptColumn, "dataset-prompt-column", "the column of the dataset that has the prompts; default is the only one, or one called prompt, text, conversations or messages")
	d.text(&b.DatasetImageColumn, "dataset-image-column", "the column of the dataset that has the pictures; default is one called image or images")
	d.text(&b.DatasetConfig, "dataset-config", "JSON file that describes the dataset: source, columns, prompt_lambda, arguments of Python's load_dataset (docs/datasets.md)")
	d.value(count{&b.PrefixLen, 0}, "prefix-len", "tokens at the start that all prompts of a scenario share")
	d.value(ratio{&b.PrefixRatio, true}, "prefix-ratio", "the same as a share of each prompt; D scenarios only")
	d.flag(&b.CountTemplate, "count-chat-template", "sizes count the whole chat as the model's template renders it, which is what servers report; default is the bare prompt")
	seed := d.value((*seedValue)(b), "seed", "whole number that decides the workload: the same seed sends the same bytes; default is drawn anew and recorded")
	seed.DefValue = ""
}
