"""A folder with an ONNX text model, read into one value: which files, how long a text may be, how tokens become one vector.

Understands the layouts that are out there: ours (`model.json`), sentence-transformers' (`modules.json`, `1_Pooling/`) and
plain transformers exports. Reads files and decides; runs nothing. What it cannot honour exactly (another pooling, a dense
layer behind the graph, no window to be found) is an EmbedError that says so: a model run wrongly gives vectors that look right.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import msgspec

from gateway.errors import EmbedError
from gateway.inference.folder import GRAPHS, TokenizerFile, Vocabulary, find_graph, narrowed, read_json, stated_window

SHIPPED = Path(__file__).parent / "models"
MODULES = {"Transformer", "Pooling", "Normalize"}


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


def read_folder(path: Path, name: str, window: int | None) -> ModelFolder:
    """What the files of model `name` say. `window` may narrow the model's own.

    Blocks. Raises EmbedError where this is not a model that can be run exactly.
    """
    own = read_json(path / "model.json", _Own, EmbedError)
    graphs = (own.model,) if own else GRAPHS
    graph = find_graph(path, graphs)
    tokenizer = read_json(path / "tokenizer.json", TokenizerFile, EmbedError)
    if graph is None or tokenizer is None:
        raise EmbedError(f"model {name!r}: its folder needs {' or '.join(graphs)}, and tokenizer.json")
    bert = read_json(path / "sentence_bert_config.json", _SentenceBert, EmbedError) or _SentenceBert()
    pooling = read_json(path / "1_Pooling" / "config.json", _Pooling, EmbedError)
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


def _window(path: Path, name: str, said: list[int | None], wanted: int | None) -> int:
    most = min((tokens for tokens in said if tokens), default=None) or stated_window(path, EmbedError)
    return narrowed(name, most, wanted, EmbedError)


def _default_prompt(path: Path, name: str, pooling: _Pooling | None) -> str:
    said = read_json(path / "config_sentence_transformers.json", _Prompts, EmbedError)
    if said is None or said.default_prompt_name is None:
        return ""
    prompt = said.prompts.get(said.default_prompt_name, "")
    if prompt and pooling and not pooling.include_prompt:
        raise EmbedError(f"model {name!r} pools without its prompt: use `type: sentence-transformers`")
    return prompt


def _beyond(path: Path) -> tuple[str, ...]:
    modules = read_json(path / "modules.json", list[_Module], EmbedError) or []
    return tuple(name for name in (module.type.rpartition(".")[2] for module in modules) if name not in MODULES)


def _checksum(files: list[Path], how: str) -> str:
    digest = hashlib.sha256(how.encode())
    for file in files:
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:32]
