"""A fine-tuned MiniLM as an int8 ONNX pair model, written node by node with the pieces of scripts/build_model.py.

As there, the units that are much larger than the rest stand together in one block of int8 steps; here they are not kept in
fp32 besides, which would take the file over 25 MB. In: `input_ids`, `attention_mask`, `token_type_ids`; out: `logits`.
"""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quality.cross_encoder.training import WINDOW

BUILDER = Path(__file__).resolve().parent.parent.parent / "scripts/build_model.py"


def builder() -> Any:
    spec = importlib.util.spec_from_file_location("build_model", BUILDER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def export(folder: Path, target: Path) -> int:
    """The saved model in `folder` as a folder that `cross-encoder` reads; the size of its graph in bytes."""
    from safetensors.numpy import load_file

    target.mkdir(parents=True, exist_ok=True)
    graph = build_graph(load_file(folder / "model.safetensors"))
    (target / "model.onnx").write_bytes(graph)
    shutil.copyfile(folder / "tokenizer.json", target / "tokenizer.json")
    (target / "config.json").write_text(json.dumps({"max_position_embeddings": WINDOW}) + "\n")
    return len(graph)


def build_graph(stored: dict[str, NDArray[np.float32]]) -> bytes:
    """The network as the bytes of model.onnx."""
    from onnx import TensorProto, helper

    base = builder()
    weights = {name.removeprefix("bert."): values for name, values in stored.items()}
    order = base.loudest_first(weights)
    weights = base.reorder(weights, order)
    graph = base.Graph()
    add, keep = graph.add, graph.keep

    def normalise(a: str, b: str, name: str) -> str:
        gain, bias = (keep(name + part, weights[name + part]) for part in (".weight", ".bias"))
        return str(add("LayerNormalization", add("Add", a, b), gain, bias, epsilon=base.EPSILON, axis=-1))

    def matrix(x: str, name: str, at: str) -> str:
        return str(base.add_matrix(graph, x, at, weights[name + ".weight"], weights[name + ".bias"], exact=False))

    steps, scales = base.quantise(weights["embeddings.word_embeddings.weight"], base.BLOCK)
    x = add("Cast", add("Gather", keep("words.q", steps), "input_ids"), to=TensorProto.FLOAT)
    x = add("Mul", x, add("Gather", keep("words.s", scales[:, :, None]), "input_ids"))
    x = add("Reshape", x, keep("words.shape", np.array([0, 0, base.WIDTH], np.int64)))
    x = add(
        "Add", x, add("Gather", keep("types", weights["embeddings.token_type_embeddings.weight"]), "token_type_ids")
    )
    keep("positions", weights["embeddings.position_embeddings.weight"][:WINDOW])
    start = keep("start", np.array([0], np.int64))
    places = add("Slice", "positions", start, add("Shape", "input_ids", start=1, end=2), start)
    x = normalise(x, places, "embeddings.LayerNorm")

    padding = add("Cast", "attention_mask", to=TensorProto.INT32)
    for number in range(base.LAYERS):
        names = base.names_of_layer(number)
        at = f"layer{number}."
        wide = [
            np.concatenate([weights[names[key] + part] for key in ("query", "key", "value")])
            for part in (".weight", ".bias")
        ]
        qkv = base.add_matrix(graph, x, at + "qkv", *wide, exact=False)
        q, k, v = add("Split", qkv, outputs=3, axis=-1, num_outputs=3)
        mixed = add("MultiHeadAttention", q, k, v, "", padding, domain=base.CONTRIB, num_heads=base.HEADS)
        x = normalise(matrix(mixed, names["out"], at + "out"), x, names["norm"])
        up = add("Gelu", matrix(x, names["up"], at + "up"), domain=base.CONTRIB)
        x = normalise(matrix(up, names["down"], at + "down"), x, names["last_norm"])

    first = add("Flatten", add("Gather", x, keep("first", np.array([0], np.int64)), axis=1), axis=1)
    pooler = weights["pooler.dense.weight"][:, order]  # only its input stands in the new order
    pooled = add("MatMul", first, keep("pooler.w", pooler.T))
    pooled = add("Tanh", add("Add", pooled, keep("pooler.b", weights["pooler.dense.bias"])))
    logit = add("MatMul", pooled, keep("classifier.w", weights["classifier.weight"].T))
    add("Add", logit, keep("classifier.b", weights["classifier.bias"]), name="logits")

    axes = ["batch", "tokens"]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, axes)
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1])
    network = helper.make_graph(graph.nodes, "pairs", inputs, [output], list(graph.constants.values()))
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(base.CONTRIB, 1)]
    return bytes(helper.make_model(network, opset_imports=opsets, ir_version=8).SerializeToString(deterministic=True))
