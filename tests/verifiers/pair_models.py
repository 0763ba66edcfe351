"""Pair models of a few words: one that adds up what its tokens weigh, as a bare graph; and a real BERT, as torch has it."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from small_model import protobuf, tensor_type
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "turn",
    "on",
    "off",
    "the",
    "light",
    "how",
    "do",
    "i",
    "what",
    "is",
    "price",
    "of",
    "red",
    "blue",
    "car",
    "?",
]
WEIGHTS = {"[PAD]": 3.0, "[CLS]": 0.5, "[SEP]": -0.25, "on": 1.0, "off": -4.0, "light": 2.0, "red": 0.75, "blue": -0.75}
WINDOW = 24


def write_tokenizer(folder: Path, *, pairs: bool = True) -> Path:
    """`tokenizer.json` as published ones are: it would cut and pad, if it were left to."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = Tokenizer(models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    if pairs:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
        )
    tokenizer.enable_truncation(WINDOW)
    tokenizer.enable_padding(length=WINDOW)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def write_adding_model(
    folder: Path, *, outputs: Sequence[float] = (1.0,), labels: Sequence[str] = (), graph: str = "model.onnx", pairs: bool = True, mask: bool = False,
    output: str = "logits",
) -> Path:  # fmt: skip
    """A graph whose output number k is `outputs[k]` times the sum of its tokens' weights: what a pair gets can be reckoned."""
    write_tokenizer(folder, pairs=pairs)
    table = np.array([[WEIGHTS.get(word, 0.0) * factor for factor in outputs] for word in WORDS], np.float32)
    rows, columns = table.shape
    weights = protobuf((1, rows), (1, columns), (2, 1), (8, "table"), (9, table.astype("<f4").tobytes()))
    gather = protobuf((1, "table"), (1, "input_ids"), (2, "each"), (4, "Gather"))
    axes = protobuf((1, "axes"), (8, 1), (20, 7))
    keep = protobuf((1, "keepdims"), (3, 0), (20, 2))
    add = protobuf((1, "each"), (2, output), (4, "ReduceSum"), (5, axes), (5, keep))
    body = [(1, gather), (1, add), (2, "adding"), (5, weights)]
    body += [(11, tensor_type(name, 7, "batch", "tokens")) for name in ("input_ids", "attention_mask")[: 1 + mask]]
    body += [(12, tensor_type(output, 1, "batch", columns))]
    path = folder / graph
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(protobuf((1, 8), (7, protobuf(*body)), (8, protobuf((1, ""), (2, 11)))))
    config = {"max_position_embeddings": WINDOW, "id2label": {str(place): name for place, name in enumerate(labels)}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def summed(*texts: str) -> float:
    """What that graph makes of a pair, without its specials' factor."""
    return 0.5 - 2 * 0.25 + sum(WEIGHTS.get(word, 0.0) for text in texts for word in text.split())


def write_bert(folder: Path, *, labels: int = 1) -> Path:
    """A BERT of two layers with random weights that does tell pairs apart, as transformers saves it, and its graph."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    write_tokenizer(folder)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"),
        unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
        model_max_length=WINDOW,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )  # fmt: skip
    torch.manual_seed(5)
    config = BertConfig(
        vocab_size=len(WORDS), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=WINDOW, num_labels=labels, initializer_range=0.5,
    )  # fmt: skip
    network = BertForSequenceClassification(config).eval()
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_graph(folder: Path) -> Path:
    """The ONNX graph of the BERT in `folder`, by torch's own exporter."""
    import torch
    from transformers import BertForSequenceClassification

    network = BertForSequenceClassification.from_pretrained(folder).eval()
    names = ["input_ids", "attention_mask", "token_type_ids"]
    example = torch.tensor([[2, 4, 5, 3, 6, 7, 3]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network, (example, torch.ones_like(example), torch.zeros_like(example)), str(folder / "model.onnx"),
            input_names=names, output_names=["logits"], dynamo=False, opset_version=17,
            dynamic_axes={name: {0: "batch", 1: "tokens"} for name in names},
        )  # fmt: skip
    return folder
