"""A folder as sentence-transformers writes them, with a tiny ModernBERT of random weights in it: the layers, prompts and
windows are those of published models, its vectors mean nothing."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer, models, pre_tokenizers, processors

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "query", ":", "how", "do", "i", "reset", "my", "password", "router", "?"]
SIZE = 16


def write_sentence_model(
    folder: Path,
    *,
    pooling: str = "cls",
    normalize: bool = False,
    prompts: dict[str, str] | None = None,
    default_prompt_name: str | None = None,
    include_prompt: bool = True,
    max_seq_length: int = 12,
) -> Path:
    """Equal settings give equal weights."""
    import torch
    from transformers import ModernBertConfig, ModernBertModel, PreTrainedTokenizerFast

    ids = {name: WORDS.index(token) for name, token in (("pad", "[PAD]"), ("cls", "[CLS]"), ("sep", "[SEP]"))}
    torch.manual_seed(7)
    config = ModernBertConfig(
        vocab_size=len(WORDS),
        hidden_size=SIZE,
        intermediate_size=SIZE,
        num_hidden_layers=1,
        num_attention_heads=2,
        initializer_range=0.5,  # with the usual 0.02 each token would hardly know of the others
        max_position_embeddings=64,
        pad_token_id=ids["pad"],
        cls_token_id=ids["cls"],
        bos_token_id=ids["cls"],
        sep_token_id=ids["sep"],
        eos_token_id=ids["sep"],
    )
    ModernBertModel(config).save_pretrained(folder)
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", ids["cls"]), ("[SEP]", ids["sep"])]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=64,
    ).save_pretrained(folder)
    layers = ["Transformer", "Pooling", *(["Normalize"] if normalize else [])]
    paths = {"Transformer": "", "Pooling": "1_Pooling", "Normalize": "2_Normalize"}
    _write(
        folder / "modules.json",
        [
            {"idx": number, "name": str(number), "path": paths[layer], "type": f"sentence_transformers.models.{layer}"}
            for number, layer in enumerate(layers)
        ],
    )
    _write(folder / "sentence_bert_config.json", {"max_seq_length": max_seq_length, "do_lower_case": False})
    _write(
        folder / "1_Pooling" / "config.json",
        {
            "word_embedding_dimension": SIZE,
            "pooling_mode_cls_token": pooling == "cls",
            "pooling_mode_mean_tokens": pooling == "mean",
            "pooling_mode_max_tokens": False,
            "include_prompt": include_prompt,
        },
    )
    (folder / "2_Normalize").mkdir(exist_ok=True)
    _write(
        folder / "config_sentence_transformers.json",
        {
            "prompts": prompts or {"query": "", "document": ""},
            "default_prompt_name": default_prompt_name,
            "similarity_fn_name": "cosine",
        },
    )
    return folder


def _write(path: Path, document: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document))
