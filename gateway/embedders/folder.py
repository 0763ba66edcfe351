"""A folder with an ONNX text model, read into one value: which files, how long a text may be, how tokens become one vector.

Understands the layouts that are out there: ours (`model.json`), sentence-transformers' (`modules.json`, `1_Pooling/`) and
plain transformers exports. Reads files and decides; runs nothing. What it cannot honour exactly (another pooling, a dense
layer behind the graph, no window to be found) is an EmbedError that says so: a model run wrongly gives vectors that look right.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TypeVar

import msgspec

from gateway.errors import EmbedError

SHIPPED = Path(__file__).parent / "models"
HUB_FILES = ["*.json", "1_Pooling/*.json", "model.onnx*", "onnx/model.onnx*"]
GRAPHS = ("model.onnx", "onnx/model.onnx")
MODULES = {"Transformer", "Pooling", "Normalize"}
UNLIMITED = 1_000_000
"""Tokenizer configs write 10**30 where nobody set a length."""


class Vocabulary(msgspec.Struct, frozen=True):
    """What the tokenizer puts where its vocabulary has no word: a token or an id, both None where it can spell anything."""

    unk_token: str | None = None
    unk_id: int | None = None


class ModelFolder(msgspec.Struct, frozen=True):
    """What `onnx` needs to know. `window` is tokens, special ones included; `prompt` goes before every text;
    `beyond` names layers that a graph without a pooled output leaves out."""

    graph: Path
    tokenizer: Path
    window: int
    pooling: str
    output: str | None
    prompt: str
    lower_case: bool
    beyond: tuple[str, ...]
    vocabulary: Vocabulary
    checksum: str


class _Own(msgspec.Struct):
    """`model.json`, as shipped with semgate's own model; anybody may write one."""

    model: str = "model.onnx"
    max_tokens: int | None = None
    output: str | None = None
    pooling: str = "mean"
    prompt: str = ""


class _SentenceBert(msgspec.Struct):
    max_seq_length: int | None = None
    do_lower_case: bool = False


class _Pooling(msgspec.Struct):
    """`pooling_mode` since sentence-transformers 5.3, one flag for each mode before."""

    pooling_mode: str | list[str] | None = None
    pooling_mode_cls_token: bool = False
    pooling_mode_mean_tokens: bool = False
    pooling_mode_max_tokens: bool = False
    pooling_mode_mean_sqrt_len_tokens: bool = False
    pooling_mode_weightedmean_tokens: bool = False
    pooling_mode_lasttoken: bool = False
    include_prompt: bool = True

    @property
    def mode(self) -> str:
        match self.pooling_mode:
            case None:
                flags = [
                    name for name in self.__struct_fields__ if name.startswith("pooling_mode_") and getattr(self, name)
                ]
                return "+".join(name[13:].removesuffix("_tokens").removesuffix("_token") for name in flags)
            case str(mode):
                return mode
            case modes:
                return "+".join(modes)


class _Module(msgspec.Struct):
    type: str


class _Prompts(msgspec.Struct):
    prompts: dict[str, str] = {}
    default_prompt_name: str | None = None


class _TokenizerConfig(msgspec.Struct):
    model_max_length: float | None = None


class _Config(msgspec.Struct):
    max_position_embeddings: int | None = None


class _Tokenizer(msgspec.Struct):
    model: Vocabulary


Read = TypeVar("Read")


def find_folder(model: str) -> Path:
    """The folder of `model`: shipped with semgate, a local path, or a hub id (downloaded once, into the hub's cache).

    Blocks. Raises EmbedError, naming the model and what to do.
    """
    if (SHIPPED / model / "model.onnx").is_file():
        return SHIPPED / model
    path = Path(model).expanduser()
    if path.is_dir():
        return path
    if model.startswith(("/", ".", "~")):
        raise EmbedError(f"model {model!r}: there is no such folder")
    return _download(model)


def read_folder(path: Path, name: str, window: int | None) -> ModelFolder:
    """What the files of model `name` say. `window` may narrow the model's own.

    Blocks. Raises EmbedError where this is not a model that can be run exactly.
    """
    own = _read(path / "model.json", _Own)
    graphs = (own.model,) if own else GRAPHS
    graph = next((path / file for file in graphs if (path / file).is_file()), None)
    tokenizer = _read(path / "tokenizer.json", _Tokenizer)
    if graph is None or tokenizer is None:
        raise EmbedError(f"model {name!r}: its folder needs {' or '.join(graphs)}, and tokenizer.json")
    bert = _read(path / "sentence_bert_config.json", _SentenceBert) or _SentenceBert()
    pooling = _read(path / "1_Pooling" / "config.json", _Pooling)
    mode = own.pooling if own else pooling.mode if pooling else "mean"
    prompt = own.prompt if own else _default_prompt(path, name, pooling)
    weights = sorted(graph.parent.glob(f"{graph.name}*"))  # a large graph keeps its weights in files beside it
    return ModelFolder(
        graph=graph,
        tokenizer=path / "tokenizer.json",
        window=_window(path, name, [own.max_tokens if own else None, bert.max_seq_length], window),
        pooling=mode,
        output=own.output if own else None,
        prompt=prompt,
        lower_case=bert.do_lower_case,
        beyond=_beyond(path),
        vocabulary=tokenizer.model,
        checksum=_checksum([*weights, path / "tokenizer.json"], f"{mode}|{bert.do_lower_case}|{prompt}"),
    )


def _read(path: Path, kind: type[Read]) -> Read | None:
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as trouble:
        raise EmbedError(f"model file {path.name!r} cannot be read: {trouble}") from trouble


def _window(path: Path, name: str, said: list[int | None], wanted: int | None) -> int:
    if not any(said):
        tokenizer = _read(path / "tokenizer_config.json", _TokenizerConfig)
        config = _read(path / "config.json", _Config)
        length = tokenizer.model_max_length if tokenizer else None
        said = [
            int(length) if length and length < UNLIMITED else None,
            config.max_position_embeddings if config else None,
        ]
    most = min((tokens for tokens in said if tokens), default=None)
    if most is None:
        if wanted is None:
            raise EmbedError(f"model {name!r} does not say how many tokens a text may have: set `window`")
        return wanted
    if wanted is not None and wanted > most:
        raise EmbedError(f"model {name!r} takes at most {most} tokens: `window: {wanted}` is too much")
    return wanted or most


def _default_prompt(path: Path, name: str, pooling: _Pooling | None) -> str:
    said = _read(path / "config_sentence_transformers.json", _Prompts)
    if said is None or said.default_prompt_name is None:
        return ""
    prompt = said.prompts.get(said.default_prompt_name, "")
    if prompt and pooling and not pooling.include_prompt:
        raise EmbedError(f"model {name!r} pools without its prompt: use `type: sentence-transformers`")
    return prompt


def _beyond(path: Path) -> tuple[str, ...]:
    modules = _read(path / "modules.json", list[_Module]) or []
    return tuple(name for name in (module.type.rpartition(".")[2] for module in modules) if name not in MODULES)


def _checksum(files: list[Path], how: str) -> str:
    digest = hashlib.sha256(how.encode())
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:32]


def _download(model: str) -> Path:
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    import huggingface_hub

    try:
        return Path(huggingface_hub.snapshot_download(model, allow_patterns=HUB_FILES))
    except Exception as trouble:  # its errors, its HTTP client's and the file system's: all mean the same here
        raise EmbedError(
            f"model {model!r} is neither shipped nor a folder, and the hub did not give it "
            f"({type(trouble).__name__}): check the name and the network, or download it and name its folder"
        ) from trouble
