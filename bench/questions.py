"""Questions such as people ask, made from templates, and their vectors from the shipped model; for benchmarks.

Vectors are computed once and kept in a folder of temporary files. Without the model they are random ones in clusters.
"""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path

import numpy as np

MODEL = Path(__file__).resolve().parent.parent / "gateway/embedders/models/all-MiniLM-L6-v2"

WORDS = {
    "product": "laptop, phone, tablet, router, printer, camera, headset, monitor, keyboard, speaker, television, "
    "projector, thermostat, doorbell, dishwasher, washing-machine, vacuum-cleaner, oven, fridge, e-bike",
    "city": "London, Paris, Berlin, Madrid, Rome, Vienna, Prague, Lisbon, Dublin, Oslo, Helsinki, Warsaw, Athens, "
    "Zurich, Geneva, Hamburg, Munich, Lyon, Milan, Porto, Tokyo, Seoul, Sydney, Toronto, Chicago, Boston, "
    "Denver, Austin, Seattle, Lima",
    "language": "Python, Rust, Go, Java, Kotlin, Swift, Ruby, PHP, C++, TypeScript, Scala, Haskell, Elixir, Julia, R, "
    "Perl, Lua, Clojure, Erlang, OCaml",
    "month": "January, February, March, April, May, June, July, August, September, October, November, December",
    "number": "2, 3, 4, 5, 7, 10, 12, 15, 20, 30, 45, 60, 90, 100, 250, 500",
    "dish": "lasagne, ramen, paella, goulash, risotto, sushi, tacos, curry, pancakes, brownies, hummus, falafel, "
    "bread, pizza, dumplings, pho, kimchi, gazpacho, ratatouille, moussaka",
    "task": "sort a list, read a file line by line, parse JSON, open a socket, write a unit test, make an HTTP "
    "request, hash a password, format a date, build a binary tree, run a task in parallel, connect to a "
    "database, reverse a string, merge two dictionaries, stream a large download, cache a function's "
    "result, validate an email address, read environment variables, compress a folder, measure execution "
    "time, catch an exception",
    "card": "credit card, debit card, gift card, virtual card, business card account, savings account, joint "
    "account, current account, student account, travel card",
    "trouble": "was declined, got stolen, is not arriving, was charged twice, expired yesterday, shows the wrong "
    "balance, is blocked, does not work abroad, lost its PIN, was swallowed by the machine",
    "diet": "without gluten, without sugar, for vegans, for ten people, in under thirty minutes, in a slow "
    "cooker, with leftovers, for children, with little salt, on a small budget",
    "illness": "a headache, back pain, a fever, a sore throat, insomnia, hay fever, a sprained ankle, heartburn, a "
    "rash, dry eyes, a toothache, a cold, a stiff neck, nausea, a cramp",
    "patient": "a toddler, a teenager, an adult, a pregnant woman, an elderly person, an athlete, a diabetic, a dog, "
    "a cat, a nurse",
    "topic": "photosynthesis, inflation, black holes, the French Revolution, vaccines, plate tectonics, neural "
    "networks, the water cycle, supply and demand, DNA, the Cold War, quantum computing, the immune "
    "system, democracy, climate change, blockchain, evolution, the stock market, antibiotics, relativity",
    "manner": "to a child, in one sentence, to an engineer, with an example, in simple words, for an exam, to my "
    "grandmother, with a metaphor, step by step, in a tweet",
}
SLOTS = {slot: words.split(", ") for slot, words in WORDS.items()}

TEMPLATES = [
    "How do I {task} in {language}?",
    "What is the best way to {task} using {language} and {language}?",
    "Why does my {language} program fail when I {task}?",
    "Show me {number} examples of how to {task} in {language}",
    "My {card} {trouble}, what should I do?",
    "Please help, since {month} my {card} {trouble}",
    "What is the fee for a {card} transfer of {number} euros in {month}?",
    "Can I withdraw {number} dollars with my {card} in {city}?",
    "Cheapest flight from {city} to {city} in {month}",
    "How long is the train from {city} to {city}?",
    "Book a hotel in {city} for {number} nights in {month}",
    "What is the weather in {city} in {month}?",
    "Best restaurants for {dish} in {city}",
    "Recipe for {dish} {diet}",
    "How many calories are in {number} servings of {dish} {diet}?",
    "What can {patient} take against {illness}?",
    "Is {illness} dangerous for {patient} after {number} days?",
    "Explain {topic} {manner}",
    "Write {number} questions about {topic} {manner}",
    "Compare {topic} with {topic} {manner}",
    "My {product} stopped working after {number} days, how do I return it?",
    "Where can I buy a used {product} in {city} for {number} euros?",
    "How do I connect my {product} to my {product}?",
    "Does the {product} come with a warranty of {number} months in {city}?",
    "Translate 'where is the {product} for {dish}' for a trip to {city}",
    "Plan a {number} day trip from {city} to {city} {diet}",
]


def questions(count: int, seed: int = 1) -> list[str]:
    """So many different questions, the same ones for the same seed; up to about 150,000."""
    chance = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        pieces = chance.choice(TEMPLATES).split("{")
        words = [pieces[0]]
        for piece in pieces[1:]:
            slot, rest = piece.split("}")
            words += [chance.choice(SLOTS[slot]), rest]
        found["".join(words)] = None
    return list(found)


def vectors(count: int, folder: Path | None = None, seed: int = 1) -> tuple[np.ndarray, str]:
    """(count x dimensions float32 unit vectors of `questions(count)`, what they are)."""
    if not (MODEL / "model.onnx").is_file():
        return _clustered(count, 384, seed), "random vectors in clusters"
    kept = folder or Path(tempfile.gettempdir()) / "semgate-bench"
    kept.mkdir(parents=True, exist_ok=True)
    checksum = json.loads((MODEL / "model.json").read_text())["sha256"][:12]
    path = kept / f"questions-{checksum}-{seed}-{count}.npy"
    if not path.exists():
        made = _embed(questions(count, seed))
        with tempfile.NamedTemporaryFile(dir=kept, suffix=".npy", delete=False) as file:
            np.save(file, made)
        Path(file.name).replace(path)
    return np.load(path), "questions from templates under the shipped all-MiniLM-L6-v2"


def _clustered(count: int, dimensions: int, seed: int) -> np.ndarray:
    chance = np.random.default_rng(seed)
    centres = chance.normal(size=(max(1, count // 200), dimensions))
    made = centres[chance.integers(len(centres), size=count)] + 0.6 * chance.normal(size=(count, dimensions))
    return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype("<f4")


def _embed(texts: list[str]) -> np.ndarray:
    """Batches of texts of one length, so that nothing is padded: several times faster than one by one."""
    import onnxruntime
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(MODEL / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    session = onnxruntime.InferenceSession(str(MODEL / "model.onnx"))
    tokens = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    by_length: dict[int, list[int]] = {}
    for place, ids in enumerate(tokens):
        by_length.setdefault(len(ids), []).append(place)
    made = np.zeros((len(texts), 384), "<f4")
    for places in by_length.values():
        for start in range(0, len(places), 64):
            batch = places[start : start + 64]
            ids = np.array([tokens[place] for place in batch], np.int64)
            made[batch] = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0]
    return made / np.linalg.norm(made, axis=1, keepdims=True)
