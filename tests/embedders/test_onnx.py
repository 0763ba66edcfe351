"""The local ONNX embedder: the shipped model as it is, and small models in the layouts that are out there."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

import gateway.embedders
from gateway.embedders.onnx import OnnxEmbedder
from gateway.errors import EmbedError, TextUnfit

T = TypeVar("T")
SHIPPED = Path(gateway.embedders.__file__).parent / "models" / "all-MiniLM-L6-v2"
WORDS = ["[UNK]", "[CLS]", "[SEP]", "red", "green", "blue", "query", ":", "the", "of"]
TABLE = np.random.default_rng(3).normal(size=(len(WORDS), 8)).astype(np.float32)


def using(embedder: OnnxEmbedder, scenario: Callable[[OnnxEmbedder], Coroutine[Any, Any, T]]) -> T:
    async def run() -> T:
        try:
            return await scenario(embedder)
        finally:
            await embedder.close()

    return asyncio.run(run())


def embed(embedder: OnnxEmbedder, *texts: str) -> list[np.ndarray]:
    async def scenario(opened: OnnxEmbedder) -> list[np.ndarray]:
        return [np.frombuffer(await opened.embed(text), "<f4") for text in texts]

    return using(embedder, scenario)


# The shipped model


def test_a_paraphrase_is_nearer_than_another_question() -> None:
    asked, paraphrase, other = embed(
        OnnxEmbedder(),
        "How do I reset my password?",
        "I forgot my password, how can I get a new one?",
        "What is the capital of France?",
    )
    assert asked @ paraphrase > 0.7 > 0.3 > asked @ other
    assert np.linalg.norm(asked) == pytest.approx(1.0, abs=1e-6)


def test_a_vector_does_not_depend_on_load() -> None:
    texts = [f"question {number} about " + "the weather in a big city " * (number % 9) for number in range(100)]

    async def scenario(embedder: OnnxEmbedder) -> None:
        together = await asyncio.gather(*(embedder.embed(text) for text in texts))
        alone = [await embedder.embed(text) for text in texts]
        assert together == alone

    using(OnnxEmbedder(), scenario)


def test_a_text_that_fills_the_window_fits_and_one_token_more_does_not() -> None:
    async def scenario(embedder: OnnxEmbedder) -> None:
        assert len(await embedder.embed("word " * 254)) == 4 * 384  # and two special tokens: 256
        for count in (255, 10_000):
            with pytest.raises(TextUnfit):
                await embedder.embed("word " * count)

    using(OnnxEmbedder(), scenario)


def test_the_window_can_be_narrowed_but_not_widened() -> None:
    async def narrow(embedder: OnnxEmbedder) -> None:
        await embedder.embed("one two three four five six")
        with pytest.raises(TextUnfit, match="8 tokens"):
            await embedder.embed("one two three four five six seven")

    async def wide(embedder: OnnxEmbedder) -> None:
        with pytest.raises(EmbedError, match="at most 256 tokens"):
            await embedder.open()

    using(OnnxEmbedder(window=8), narrow)
    using(OnnxEmbedder(window=257), wide)


def test_words_that_the_model_cannot_tell_apart_are_not_embedded() -> None:
    """All unknown words are one token: these two would have the same vector, and be a hit for each other."""

    async def scenario(embedder: OnnxEmbedder) -> None:
        for text in ("这个怎么用", "หนังสือเล่มนี้ราคาเท่าไหร่", "what does 🙃 mean?"):
            with pytest.raises(TextUnfit, match="does not know"):
                await embedder.embed(text)

    using(OnnxEmbedder(), scenario)


def test_it_is_ready_once_open_and_says_which_space_its_vectors_are_in() -> None:
    async def scenario(embedder: OnnxEmbedder) -> None:
        assert embedder.dimensions is None
        with pytest.raises(EmbedError, match="not open"):
            _ = embedder.identity
        await embedder.open()
        await embedder.ping()
        assert embedder.dimensions == 384
        assert embedder.identity.startswith("onnx:")

    using(OnnxEmbedder(), scenario)


def test_a_closed_embedder_says_so() -> None:
    async def scenario() -> None:
        embedder = OnnxEmbedder()
        await embedder.open()
        await embedder.close()
        with pytest.raises(EmbedError, match="closed"):
            await embedder.embed("question")

    asyncio.run(scenario())


def test_importing_the_adapters_imports_none_of_the_heavy_libraries() -> None:
    heavy = ["torch", "sentence_transformers", "openai", "voyageai", "onnxruntime", "tokenizers", "huggingface_hub"]
    names = ["queue", "onnx", "sentence_transformers", "openai", "voyage", "cohere", "python"]
    code = f"import sys\nfor name in {names}: __import__('gateway.embedders.' + name)\nprint([m for m in {heavy} if m in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


# Other layouts


def test_a_folder_in_another_layout_gives_the_same_vectors_and_the_same_space(tmp_path: Path) -> None:
    (tmp_path / "onnx").mkdir()
    shutil.copy(SHIPPED / "model.onnx", tmp_path / "onnx" / "model.onnx")
    shutil.copy(SHIPPED / "tokenizer.json", tmp_path)
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 16, "do_lower_case": false}')

    async def scenario(embedder: OnnxEmbedder) -> tuple[bytes, str]:
        await embedder.embed("word " * 14)
        if embedder is copy:
            with pytest.raises(TextUnfit):
                await embedder.embed("word " * 15)
        return await embedder.embed("How do I reset my password?"), embedder.identity

    copy = OnnxEmbedder(model=str(tmp_path))
    assert using(copy, scenario) == using(OnnxEmbedder(), scenario)


def protobuf(*fields: tuple[int, int | bytes | str]) -> bytes:
    """A protobuf message of (number, varint | bytes | text | message) fields: enough to write an ONNX graph."""

    def varint(value: int) -> bytes:
        out = b""
        while value > 127:
            out, value = out + bytes([value & 127 | 128]), value >> 7
        return out + bytes([value])

    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            raw = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | 2) + varint(len(raw)) + raw
    return out


def tensor_type(name: str, kind: int, *shape: str | int) -> bytes:
    dims = [(1, protobuf((2, dim) if isinstance(dim, str) else (1, dim))) for dim in shape]
    return protobuf((1, name), (2, protobuf((1, protobuf((1, kind), (2, protobuf(*dims)))))))


def write_model(
    folder: Path,
    *,
    graph: str = "model.onnx",
    table: np.ndarray = TABLE,
    inputs: tuple[str, ...] = ("input_ids",),
    output: str = "last_hidden_state",
    integers: int = 7,
    special: bool = True,
) -> Path:
    """A model that looks its tokens' vectors up in a table: a real graph for onnxruntime, and a real tokenizer."""
    path = folder / graph
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = table.shape
    weights = protobuf((1, rows), (1, columns), (2, 1), (8, "table"), (9, table.astype("<f4").tobytes()))
    node = protobuf((1, "table"), (1, inputs[0]), (2, output), (4, "Gather"))
    body = [(1, node), (2, "lookup"), (5, weights)]
    body += [(11, tensor_type(name, integers, "batch", "tokens")) for name in inputs]
    body += [(12, tensor_type(output, 1, "batch", "tokens", columns))]
    path.write_bytes(protobuf((1, 8), (7, protobuf(*body)), (8, protobuf((1, ""), (2, 13)))))
    tokenizer = Tokenizer(models.WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    if special:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
        )
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=32)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text('{"max_position_embeddings": 12}')
    return folder


def mean(*words: str) -> np.ndarray:
    pooled = TABLE[[WORDS.index(word) for word in words]].mean(axis=0)
    return pooled / np.linalg.norm(pooled)


def test_token_vectors_are_averaged_where_nothing_else_is_said(tmp_path: Path) -> None:
    (vector,) = embed(OnnxEmbedder(model=str(write_model(tmp_path))), "red blue")
    assert vector == pytest.approx(mean("[CLS]", "red", "blue", "[SEP]"), abs=1e-6)


def test_a_tokenizer_that_cuts_and_pads_is_told_not_to(tmp_path: Path) -> None:
    text = ["red", "green", "blue", "the", "of", "red", "red", "red", "blue", "blue"]

    async def scenario(embedder: OnnxEmbedder) -> bytes:
        with pytest.raises(TextUnfit, match="12 tokens"):
            await embedder.embed(" ".join([*text, "red"]))
        return await embedder.embed(" ".join(text))

    vector = using(OnnxEmbedder(model=str(write_model(tmp_path))), scenario)
    assert np.frombuffer(vector, "<f4") == pytest.approx(mean("[CLS]", *text, "[SEP]"), abs=1e-6)


@pytest.mark.parametrize("config", ['{"pooling_mode_cls_token": true}', '{"pooling_mode": "cls"}'])
def test_the_first_token_is_taken_where_the_pooling_says_so(tmp_path: Path, config: str) -> None:
    write_model(tmp_path, graph="onnx/model.onnx")
    (tmp_path / "1_Pooling").mkdir()
    (tmp_path / "1_Pooling" / "config.json").write_text(config)
    (vector,) = embed(OnnxEmbedder(model=str(tmp_path)), "red blue")
    assert vector == pytest.approx(mean("[CLS]"), abs=1e-6)


def test_a_prompt_goes_before_the_text_and_text_is_lowered_where_the_model_says_so(tmp_path: Path) -> None:
    write_model(tmp_path)
    (tmp_path / "config_sentence_transformers.json").write_text(
        '{"prompts": {"query": "query: ", "other": "the "}, "default_prompt_name": "query"}'
    )
    (tmp_path / "sentence_bert_config.json").write_text('{"max_seq_length": 6, "do_lower_case": true}')

    async def scenario(embedder: OnnxEmbedder) -> bytes:
        with pytest.raises(TextUnfit):
            await embedder.embed("red blue red")  # the prompt's tokens count
        return await embedder.embed("Red BLUE")

    vector = using(OnnxEmbedder(model=str(tmp_path)), scenario)
    assert np.frombuffer(vector, "<f4") == pytest.approx(mean("[CLS]", "query", ":", "red", "blue", "[SEP]"), abs=1e-6)


def test_a_model_json_names_the_graph_the_window_and_the_output(tmp_path: Path) -> None:
    write_model(tmp_path, graph="small.onnx", output="states", inputs=("input_ids",), integers=6)
    (tmp_path / "model.json").write_text(
        '{"model": "small.onnx", "max_tokens": 5, "output": "states", "pooling": "cls"}'
    )

    async def scenario(embedder: OnnxEmbedder) -> bytes:
        with pytest.raises(TextUnfit, match="5 tokens"):
            await embedder.embed("red red red red")
        return await embedder.embed("red red red")

    assert np.frombuffer(using(OnnxEmbedder(model=str(tmp_path)), scenario), "<f4") == pytest.approx(mean("[CLS]"))


def test_a_huge_length_in_a_tokenizer_config_is_no_length(tmp_path: Path) -> None:
    write_model(tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"model_max_length": 1000000000000000019884624838656}')

    async def scenario(embedder: OnnxEmbedder) -> None:
        with pytest.raises(TextUnfit, match="12 tokens"):
            await embedder.embed("red " * 11)

    using(OnnxEmbedder(model=str(tmp_path)), scenario)


def test_other_weights_tokens_or_pooling_are_another_space(tmp_path: Path) -> None:
    async def identity(embedder: OnnxEmbedder) -> str:
        await embedder.open()
        return embedder.identity

    plain = write_model(tmp_path / "plain")
    same = write_model(tmp_path / "same")
    weights = write_model(tmp_path / "weights", table=TABLE + 1)
    tokens = write_model(tmp_path / "tokens", special=False)
    pooling = write_model(tmp_path / "pooling")
    (pooling / "1_Pooling").mkdir()
    (pooling / "1_Pooling" / "config.json").write_text('{"pooling_mode": "cls"}')
    spaces = [using(OnnxEmbedder(model=str(p)), identity) for p in (plain, same, weights, tokens, pooling)]
    assert spaces[0] == spaces[1]
    assert len(set(spaces)) == 4


def test_a_model_that_answers_nan_is_an_error(tmp_path: Path) -> None:
    table = TABLE.copy()
    table[WORDS.index("green")] = np.nan

    async def scenario(embedder: OnnxEmbedder) -> None:
        await embedder.embed("red")
        with pytest.raises(EmbedError, match="no direction"):
            await embedder.embed("green")

    using(OnnxEmbedder(model=str(write_model(tmp_path, table=table))), scenario)


def test_a_model_that_fails_on_a_text_is_an_error_without_the_text(tmp_path: Path) -> None:
    async def scenario(embedder: OnnxEmbedder) -> None:
        await embedder.open()
        with pytest.raises(EmbedError) as caught:
            await embedder.embed("of")  # a row that the table has not
        assert "failed" in str(caught.value)

    using(OnnxEmbedder(model=str(write_model(tmp_path, table=TABLE[:-1]))), scenario)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda folder: shutil.rmtree(folder), "no such folder"),
        (lambda folder: (folder / "model.onnx").unlink(), "needs model.onnx or onnx/model.onnx"),
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json"),
        (lambda folder: (folder / "model.onnx").write_bytes(b"not a graph"), "cannot be loaded"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), "cannot be read"),
        (lambda folder: (folder / "tokenizer.json").write_text('{"model": {}}'), "cannot be loaded"),
        (lambda folder: (folder / "config.json").unlink(), "set `window`"),
        (lambda folder: (folder / "config.json").write_text("[]"), "cannot be read"),
        (lambda folder: write_model(folder, inputs=("input_ids", "pixel_values")), "pixel_values"),
        (lambda folder: write_model(folder, integers=1), "input_ids"),
        (lambda folder: (folder / "model.json").write_text('{"max_tokens": 9, "output": "embedding"}'), "no output"),
        (
            lambda folder: (folder / "modules.json").write_text('[{"type": "sentence_transformers.models.Dense"}]'),
            "Dense",
        ),
        (
            lambda folder: (
                (folder / "1_Pooling").mkdir(),
                (folder / "1_Pooling" / "config.json").write_text(
                    '{"pooling_mode_cls_token": true, "pooling_mode_max_tokens": true}'
                ),
            ),
            "cls\\+max",
        ),
    ],
)
def test_a_folder_that_cannot_be_run_exactly_is_refused(
    tmp_path: Path, spoil: Callable[[Path], object], says: str
) -> None:
    folder = write_model(tmp_path / "model")
    spoil(folder)

    async def scenario(embedder: OnnxEmbedder) -> None:
        with pytest.raises(EmbedError, match=says):
            await embedder.open()

    using(OnnxEmbedder(model=str(folder)), scenario)


def test_opening_can_be_tried_again(tmp_path: Path) -> None:
    async def scenario(embedder: OnnxEmbedder) -> None:
        with pytest.raises(EmbedError):
            await embedder.embed("red")
        write_model(tmp_path / "late")
        await embedder.embed("red")

    using(OnnxEmbedder(model=str(tmp_path / "late")), scenario)


# A hub

ASK_THE_HUB = """
import asyncio, sys
from gateway.embedders.onnx import OnnxEmbedder
from gateway.errors import EmbedError

async def main():
    embedder = OnnxEmbedder(model="somebody/small-model")
    try:
        await embedder.open()
        print("dimensions", embedder.dimensions)
    except EmbedError as error:
        print("error", error)
    await embedder.close()

asyncio.run(main())
"""


def ask_the_hub(home: Path, **environment: str) -> str:
    env = {"PATH": "/usr/bin:/bin", "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", **environment}
    told = subprocess.run([sys.executable, "-c", ASK_THE_HUB], capture_output=True, text=True, env=env, check=False)
    assert told.returncode == 0, told.stderr
    return told.stdout.strip()


def test_a_hub_id_is_downloaded_once_and_used_offline_afterwards(
    tmp_path: Path, hub: Callable[[Path], str], nobody: str
) -> None:
    endpoint = hub(write_model(tmp_path / "model"))
    assert ask_the_hub(tmp_path / "home", HF_ENDPOINT=endpoint) == "dimensions 8"
    assert ask_the_hub(tmp_path / "home", HF_HUB_OFFLINE="1") == "dimensions 8"
    assert ask_the_hub(tmp_path / "home", HF_ENDPOINT=nobody) == "dimensions 8"


@pytest.mark.parametrize("environment", ["offline", "down"])
def test_a_model_that_the_hub_does_not_give_is_named_with_what_to_do(
    tmp_path: Path, nobody: str, environment: str
) -> None:
    said = ask_the_hub(tmp_path, **({"HF_HUB_OFFLINE": "1"} if environment == "offline" else {"HF_ENDPOINT": nobody}))
    assert said.startswith("error model 'somebody/small-model' is neither shipped nor a folder")
    assert "name its folder" in said


def test_a_hub_model_without_a_graph_is_refused_by_its_name(tmp_path: Path, hub: Callable[[Path], str]) -> None:
    model = write_model(tmp_path / "model")
    (model / "model.onnx").unlink()
    said = ask_the_hub(tmp_path / "home", HF_ENDPOINT=hub(model))
    assert said.startswith("error model 'somebody/small-model': its folder needs model.onnx")


@pytest.fixture
def hub() -> Iterator[Callable[[Path], str]]:
    """A server on loopback that speaks as much of the hub's API as a download asks for."""
    import hashlib
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from threading import Thread

    commit = "0" * 40
    started: list[ThreadingHTTPServer] = []

    def serve(folder: Path) -> str:
        files = {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}

        class Hub(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                prefix = f"/somebody/small-model/resolve/{commit}/"
                if self.path.startswith("/api/models/somebody/small-model"):
                    siblings = [{"rfilename": name, "size": len(body)} for name, body in files.items()]
                    listing = [
                        {"type": "file", "path": name, "size": len(body), "oid": hashlib.sha1(body).hexdigest()}
                        for name, body in files.items()
                    ]
                    info = {"id": "somebody/small-model", "sha": commit, "siblings": siblings}
                    self.answer(json.dumps(listing if "/tree/" in self.path else info).encode(), {})
                elif self.path.startswith(prefix) and self.path.removeprefix(prefix) in files:
                    body = files[self.path.removeprefix(prefix)]
                    self.answer(body, {"ETag": f'"{hashlib.sha1(body).hexdigest()}"', "X-Repo-Commit": commit})
                else:
                    self.send_error(404)

            do_HEAD = do_GET

            def answer(self, body: bytes, headers: dict[str, str]) -> None:
                self.send_response(200)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
        Thread(target=server.serve_forever, daemon=True).start()
        started.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield serve
    for server in started:
        server.shutdown()
        server.server_close()
