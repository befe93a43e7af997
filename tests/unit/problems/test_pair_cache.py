"""Large data: read in blocks, tokenized once into a cache, and the same as small data in every result."""

import gzip
import logging
import os
import random
import threading
import time
import tracemalloc

import numpy as np
import pytest
from text_pair_problems import EVEN, spec_of

from job.cli.checked_spec import load_estimated_spec
from job.errors import ChangedDataError, DataErrors, OutputError
from job.problems import build_problem, pair_cache, pair_spool, parallel_text, text_files
from job.problems.batch_order import POOL_BATCHES, chosen_subset, order_by_length
from job.problems.generated import Stream, generator
from job.problems.ragged_rows import RaggedRows
from job.problems.text_pairs import TextPairs
from job.problems.vocabulary import UNKNOWN, Vocabulary, spelling_number
from job.spec.file_locations import PlannedData
from job.spec.text_pairs_section import ColumnsSpec, PairFiles, SubwordSpec, VocabularySpec
from job.storage.artifacts import OutputPaths

LETTERS = "abcdefgh\u00e9\U0001f600 "


def lines(count=400, seed=1, tab="\t"):
    rng = random.Random(seed)
    text = lambda: "x" + "".join(rng.choices(LETTERS, k=rng.randint(0, 12))) + "y"  # noqa: E731
    return [f"{text()}{tab}{text()}" for _ in range(count)]


@pytest.fixture
def large(monkeypatch):
    """Treat every file as a large one, and every block as full."""
    monkeypatch.setattr(pair_cache, "MIN_CACHED_BYTES", 0)
    monkeypatch.setattr(text_files, "HELD_BYTES", 0)
    monkeypatch.setattr(text_files, "BLOCK_BYTES", 50)
    monkeypatch.setattr(text_files, "PART_LINES", 3)
    monkeypatch.setattr(parallel_text, "BLOCK_PAIRS", 7)
    monkeypatch.setattr(pair_spool, "BLOCK_BYTES", 50)


def write(tmp_path, name="pairs.tsv", text=None):
    text = "\ufeff" + "\n".join(lines()) + "\n" if text is None else text
    (tmp_path / name).write_text(text, "utf-8")
    return PairFiles(file=name)


WORDS = {"source_tokens": "words", "target_tokens": "words"}
SUBWORDS = {"source_tokens": "subwords", "target_tokens": "subwords"}
KINDS = {
    "characters": {},
    "shared": {"shared_vocabulary": True},
    "normalized": {"normalize": "NFKC", "lowercase": True, "max_length": 9},
    "rare": {"vocabulary": VocabularySpec(min_count=2, max_size=5)},
    "words": WORDS,
    "subwords": {**SUBWORDS, "subwords": SubwordSpec(size=30)},
    "shared_subwords": {
        **SUBWORDS,
        "shared_vocabulary": True,
        "subwords": SubwordSpec(size=40, algorithm="bpe"),
    },
}


def content(problem):
    """Return everything that a training takes from a problem."""
    count = problem.examples_per_epoch("all")
    batches = [problem.batch(epoch, i, 16, count) for epoch in (0, 1) for i in range(-(-count // 16))]
    tokens = problem.token_batches(300, 2, count)
    batches += [tokens.batch(2, i) for i in range(tokens.steps)]
    held_out = [problem.examples(split, n) for split in ("validation", "test") for n in (3, 10**6)]
    texts = [(examples.references, examples.sources) for examples in held_out]
    arrays = [*batches, *((examples.source, examples.target) for examples in held_out)]
    facts = problem.describe(), problem.max_target_length
    vocabularies = problem.source_vocabulary.to_json(), problem.target_vocabulary.to_json()
    ids = [side.tolist() for arrays_of in arrays for side in arrays_of]
    assert all(side.dtype == np.int32 for arrays_of in arrays for side in arrays_of)
    return ids, texts, facts, vocabularies, problem.source_vocabulary is problem.target_vocabulary


def both(spec, tmp_path, request, copies=False):
    """Return the content of a problem in memory, then from a new cache, then from that cache again."""
    small = content(build_problem(spec, 7, tmp_path, copies=copies))
    request.getfixturevalue("large")
    cache = tmp_path / "cache"
    cached = [content(build_problem(spec, 7, tmp_path, cache=cache, copies=copies)) for _ in range(2)]
    return [small, *cached]


@pytest.mark.parametrize("copies", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_cache_changes_no_result(tmp_path, request, kind, copies):
    spec = spec_of(data=write(tmp_path), split=EVEN, **KINDS[kind])
    small, first, again = both(spec, tmp_path, request, copies)
    assert small == first == again
    assert len([*(tmp_path / "cache").iterdir()]) == 1


def test_files_of_every_form(tmp_path, request):
    packed = PairFiles(file=["a.tsv", "b.tsv.gz"])
    write(tmp_path, "a.tsv")
    (tmp_path / "b.tsv.gz").write_bytes(gzip.compress("\n".join(lines(90, 2)).encode()))
    for name, number in (("s", 0), ("t", 1)):
        text = "\r\n".join(line.split("\t")[number] for line in lines(50, 3))
        (tmp_path / name).write_bytes(text.encode())
    parallel = PairFiles(source_file="s", target_file="t")
    spec = spec_of(train=packed, validation=parallel, test=write(tmp_path, "c.tsv"))
    small, *cached = both(spec, tmp_path, request)
    assert [small, small] == cached
    assert small[2][0]["pairs"]["train"] == 490


def test_features_and_repeated_pronunciations(tmp_path, request):
    text = "".join(f"{line}\tN;{'PL' if i % 2 else 'SG'}\n" for i, line in enumerate(lines()))
    columns = ColumnsSpec(source=1, target=2, features=3)
    spec = spec_of(data=write(tmp_path, text=text), split=EVEN, columns=columns)
    small, *cached = both(spec, tmp_path, request)
    assert [small, small] == cached
    words = "".join(f"w{i % 40} K{'AE'[i % 2]}1 T\n" for i in range(99))
    spec = spec_of(data=write(tmp_path, text=words), split=EVEN, format="cmudict", target_tokens="words")
    problem = build_problem(spec, 7, tmp_path, cache=tmp_path / "cache")
    assert problem.describe()["pairs"]["repeated"] == 59


def test_order_of_equal_batches_is_that_of_one_sort():
    """The sort of all pools at once, with numbers of 64 bits, as it was before data could be large."""
    rng = np.random.default_rng(0)
    for count, size, examples in ((1, 1, 1), (1000, 3, 1000), (5000, 16, 4321), (700, 800, 700)):
        sides = [
            RaggedRows(np.zeros(0, np.int32), np.concatenate([[0], np.cumsum(rng.integers(1, 9, count))]))
            for _ in range(2)
        ]
        order = order_by_length(
            sides, chosen_subset(sides[0].count, 5, examples), seed=5, epoch=3, batch_size=size
        )
        ours = generator(5, Stream.EPOCH_ORDER, 3)
        shuffled = ours.permutation(generator(5, Stream.SUBSET).permutation(count)[:examples])
        full = examples // size * size
        pool = np.arange(full) // (POOL_BATCHES * size)
        keys = [np.diff(side.starts)[shuffled[:full]] for side in sides]
        batches = shuffled[:full][np.lexsort((*keys, pool))].reshape(-1, size)
        expected = np.concatenate([ours.permutation(batches).ravel(), shuffled[full:]])
        np.testing.assert_array_equal(order, expected)


# --- entries ------------------------------------------------------------------------------------------------


def keys(tmp_path):
    return {path.name for path in (tmp_path / "cache").iterdir()}


@pytest.mark.usefixtures("large")
def test_an_entry_is_of_content_and_tokens_and_not_of_names_or_seeds(tmp_path):
    cache = tmp_path / "cache"
    build_problem(spec_of(data=write(tmp_path)), 7, tmp_path, cache=cache)
    first = keys(tmp_path)
    build_problem(spec_of(data=write(tmp_path)), 8, tmp_path, cache=cache)
    renamed = build_problem(spec_of(data=write(tmp_path, "other.tsv")), 7, tmp_path, cache=cache)
    assert keys(tmp_path) == first
    assert [*renamed.describe()["files"]] == ["other.tsv"]
    build_problem(spec_of(data=write(tmp_path), max_length=8), 7, tmp_path, cache=cache)
    assert len(keys(tmp_path)) == 2
    build_problem(spec_of(data=write(tmp_path, text="\n".join(lines(300)))), 7, tmp_path, cache=cache)
    assert len(keys(tmp_path)) == 3


@pytest.mark.usefixtures("large")
def test_a_cached_problem_is_not_tokenized_again(tmp_path, monkeypatch):
    spec = spec_of(data=write(tmp_path))
    build_problem(spec, 7, tmp_path, cache=tmp_path / "cache")
    monkeypatch.delattr(pair_cache, "build_store")
    problem = build_problem(spec, 7, tmp_path, cache=tmp_path / "cache")
    assert isinstance(problem._store.source.ids, np.memmap)
    assert problem._store.source.ids.dtype == np.uint8
    assert problem.batch(0, 0, 4, 8)[0].shape[0] == 4


@pytest.mark.usefixtures("large")
def test_the_jobs_of_a_run_share_what_its_check_tokenized(tmp_path, monkeypatch):
    write(tmp_path)
    (tmp_path / "jobs.yaml").write_text(
        "version: 1\n"
        "jobs:\n"
        "  - name: many\n"
        "    seeds: [1, 2]\n"
        "    problem: {kind: text_pairs, data: {file: pairs.tsv}}\n"
        "    training: {examples: all, batch_size: 8}\n"
    )
    cache = OutputPaths(tmp_path / "output").cache
    estimated = load_estimated_spec(tmp_path / "jobs.yaml", cache)
    assert len([*cache.iterdir()]) == 1
    monkeypatch.delattr(pair_cache, "build_store")
    for job in estimated.spec.jobs:
        planned = PlannedData(estimated.checksums[job.name])
        build_problem(job.problem, job.seed, tmp_path, planned, cache)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("first", ["plain", "pointer"])
@pytest.mark.parametrize("tokens", ["characters", "words"])
def test_jobs_with_and_without_a_pointer_do_not_share_ids(tmp_path, monkeypatch, first, tokens):
    rare = [f"ab{chr(0x4E00 + i)} x\tx ab{chr(0x4E00 + i)}" for i in range(40)]  # each has a token of its own
    write(tmp_path, text="\n".join(rare))
    jobs = [("plain", "false"), ("pointer", "true")]
    (tmp_path / "jobs.yaml").write_text(
        "version: 1\n"
        "defaults:\n"
        "  problem: {kind: text_pairs, data: {file: pairs.tsv}, vocabulary: {min_count: 2}, "
        f"source_tokens: {tokens}, target_tokens: {tokens}}}\n"
        "  training: {examples: all, batch_size: 8}\n"
        "jobs:\n"
        + "".join(
            f"  - {{name: {name}, model: {{attention: luong_dot, pointer: {pointer}}}}}\n"
            for name, pointer in (jobs if first == "plain" else jobs[::-1])
        )
    )
    cache = OutputPaths(tmp_path / "output").cache
    estimated = load_estimated_spec(tmp_path / "jobs.yaml", cache)
    assert len([*cache.iterdir()]) == 2
    monkeypatch.delattr(pair_cache, "build_store")
    for job in estimated.spec.jobs:
        planned = PlannedData(estimated.checksums[job.name])
        problem = build_problem(job.problem, job.seed, tmp_path, planned, cache, copies=job.model.pointer)
        count = problem.examples_per_epoch("all")
        sides = problem.batch(0, 0, count, count)
        vocabularies = problem.source_vocabulary, problem.target_vocabulary
        assert [vocabulary.numbered for vocabulary in vocabularies] == [job.model.pointer] * 2
        beyond = [
            sorted(int(i) - len(vocabulary) for i in ids.ravel() if i >= len(vocabulary))
            for ids, vocabulary in zip(sides, vocabularies, strict=True)
        ]
        if not job.model.pointer:
            assert beyond == [[], []]
            assert all((ids == UNKNOWN).sum() == count for ids in sides)
            continue
        train = {*rare} - {
            f"{source}\t{target}"
            for split in ("validation", "test")
            for source, (target,) in texts_of(problem, split)
        }
        split = Vocabulary.learn([], "" if tokens == "characters" else " ").split
        expected = sorted(spelling_number(split(pair.split("\t")[1])[-1]) for pair in train)
        assert beyond == [expected, expected]


def texts_of(problem, split):
    """Return the source and the reference targets of each example."""
    examples = problem.examples(split, 100)
    return zip(examples.sources, examples.references, strict=True)


def test_small_data_leave_no_cache(tmp_path):
    build_problem(spec_of(data=write(tmp_path)), 7, tmp_path, cache=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("name", ["source-ids.bin", "target-starts.bin", "test.txt", "store.json"])
@pytest.mark.parametrize("damage", ["other", "shorter", "missing"])
def test_a_damaged_entry_is_made_anew(tmp_path, caplog, name, damage):
    spec, cache = spec_of(data=write(tmp_path)), tmp_path / "cache"
    expected = content(build_problem(spec, 7, tmp_path, cache=cache))
    (path,) = cache.glob(f"*/{name}")
    good = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes(bytes([good[0] ^ 1]) + good[1:] if damage == "other" else good[:-1])
    with caplog.at_level(logging.WARNING):
        assert content(build_problem(spec, 7, tmp_path, cache=cache)) == expected
    assert "is made anew" in caplog.text
    assert path.read_bytes() == good
    assert len(keys(tmp_path)) == 1


@pytest.mark.usefixtures("large")
def test_an_entry_may_be_removed_while_it_is_used(tmp_path):
    spec, cache = spec_of(data=write(tmp_path)), tmp_path / "cache"
    problem, other = (build_problem(spec, 7, tmp_path, cache=cache) for _ in range(2))
    expected = content(other)
    for path in cache.glob("*/*"):
        path.unlink()
    for path in cache.iterdir():
        path.rmdir()
    assert content(problem) == expected


@pytest.mark.usefixtures("large")
def test_several_may_write_an_entry_at_once(tmp_path):
    spec, cache, found = spec_of(data=write(tmp_path)), tmp_path / "cache", []
    barrier = threading.Barrier(4)

    def build():
        barrier.wait()
        found.append(content(build_problem(spec, 7, tmp_path, cache=cache)))

    threads = [threading.Thread(target=build) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(one == found[0] for one in found)
    assert len(keys(tmp_path)) == 1


@pytest.mark.usefixtures("large")
def test_nothing_is_left_of_data_with_errors(tmp_path):
    text = "\n".join([*lines(40), "no tab", *lines(40), "a\tb\tc"])
    with pytest.raises(DataErrors) as caught:
        build_problem(spec_of(data=write(tmp_path, text=text)), 7, tmp_path, cache=tmp_path / "cache")
    assert [error.line for error in caught.value.errors] == [41, 82]
    assert keys(tmp_path) == set()


@pytest.mark.usefixtures("large")
def test_what_a_killed_process_left_is_removed_a_day_later(tmp_path):
    cache = tmp_path / "cache"
    for name, age in (("old", 2 * 86_400), ("new", 60)):
        (cache / f".tmp-{name}").mkdir(parents=True)
        os.utime(cache / f".tmp-{name}", (time.time() - age,) * 2)
    build_problem(spec_of(data=write(tmp_path)), 7, tmp_path, cache=cache)
    assert {name for name in keys(tmp_path) if name.startswith(".")} == {".tmp-new"}


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_cache_that_cannot_be_written_is_an_output_error(tmp_path, kind):
    cache = tmp_path / "cache"
    if kind == "file":
        cache.write_text("")
    else:
        cache.symlink_to(tmp_path)
    with pytest.raises(OutputError, match="cache"):
        build_problem(spec_of(data=write(tmp_path)), 7, tmp_path, cache=cache)


# --- large files --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("large")
def test_a_file_that_changes_between_its_two_readings(tmp_path, monkeypatch):
    files, real = write(tmp_path), pair_cache.open_group

    def opened(*arguments):
        group = real(*arguments)
        write(tmp_path, text="\n".join(lines(400, seed=2)))
        return group

    monkeypatch.setattr(pair_cache, "open_group", opened)
    with pytest.raises(ChangedDataError, match=r"pairs\.tsv has changed"):
        build_problem(spec_of(data=files), 7, tmp_path)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize(
    ("name", "content", "line", "message"),
    [
        ("a.tsv", b" \n\n \n", 0, "the file is empty"),
        ("a.tsv.gz", gzip.compress(b"a\tb\n" * 1000)[:-9], 0, "not whole gzip data"),
        ("a.tsv.gz", b"a\tb\n" * 1000, 0, "not whole gzip data"),
        ("a.tsv", b"a\tb\n" * 99 + b"\xef\xbb\xbfa\tb\n", 100, "byte order mark"),
        ("a.tsv", b"a\tb\n" * 99 + b"a\tb\0\n", 100, "is NUL"),
        ("a.tsv", b"a\tb\n" * 99 + b"a\tb\xff\n", 100, "not UTF-8"),
    ],
    ids=["empty", "truncated", "not packed", "mark", "NUL", "bytes"],  # bytes of gzip have the time
)
def test_errors_of_large_files(tmp_path, name, content, line, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataErrors, match=message) as caught:
        build_problem(spec_of(data=PairFiles(file=name)), 7, tmp_path)
    (error,) = caught.value.errors
    assert (error.file, error.key) == (tmp_path / name, "data.file")
    assert error.line == line


@pytest.mark.usefixtures("large")
def test_two_large_files_of_different_lengths(tmp_path):
    (tmp_path / "s").write_bytes(b"a\n" * 100)
    (tmp_path / "t").write_bytes(b"a\n" * 99)
    with pytest.raises(DataErrors, match=r"the file has 99 lines, but .* has 100"):
        build_problem(spec_of(data=PairFiles(source_file="s", target_file="t")), 7, tmp_path)


def test_memory_does_not_grow_with_the_text(tmp_path, monkeypatch):
    for module, name, value in (
        (pair_cache, "MIN_CACHED_BYTES", 0),
        (text_files, "HELD_BYTES", 0),
        (text_files, "BLOCK_BYTES", 1 << 14),
        (pair_spool, "BLOCK_BYTES", 1 << 14),
        (parallel_text, "BLOCK_PAIRS", 500),
    ):
        monkeypatch.setattr(module, name, value)
    peaks = []
    for count in (2000, 20_000):
        text = "".join(f"{i:06}{'abcdefgh' * 4}\t{i:06}{'hgfedcba' * 4}\n" for i in range(count))
        spec = spec_of(data=write(tmp_path, f"{count}.tsv", text))
        tracemalloc.start()
        try:
            problem = build_problem(spec, 7, tmp_path, cache=tmp_path / "cache")
            problem.batch(0, 0, 16, problem.examples_per_epoch("all"))
            problem.examples("test", 10)
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert isinstance(problem, TextPairs)
    # a pair has 80 bytes of text, and two strings and a tuple of it have 230
    assert peaks[1] - peaks[0] < 18_000 * 40
