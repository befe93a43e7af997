"""The data of examples/compositional.yaml: the generator's output, and that the files are equal to it."""

import gzip
import importlib.util
import re
from pathlib import Path

import pytest

from job.problems import build_problem
from job.problems.checking import check_jobs
from job.spec.spec_loading import load_located

EXAMPLES = Path(__file__).parents[3] / "examples"

spec = importlib.util.spec_from_file_location("generate", EXAMPLES / "compositional" / "generate.py")
generate = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generate)

COMMANDS = {" ".join(words): " ".join(actions) for words, actions in generate.commands()}
L, R = "I_TURN_LEFT", "I_TURN_RIGHT"


@pytest.mark.parametrize(
    ("command", "actions"),
    [
        ("jump", "I_JUMP"),
        ("jump left", f"{L} I_JUMP"),
        ("turn right", R),
        ("jump around right", " ".join([R, "I_JUMP"] * 4)),
        ("turn around left", " ".join([L] * 4)),
        ("turn opposite left", f"{L} {L}"),
        ("turn left twice", f"{L} {L}"),
        ("jump thrice", "I_JUMP I_JUMP I_JUMP"),
        ("jump opposite left and walk thrice", f"{L} {L} I_JUMP I_WALK I_WALK I_WALK"),
        (
            "jump opposite left after walk around left",
            " ".join([*[L, "I_WALK"] * 4, L, L, "I_JUMP"]),
        ),
        ("look twice and run right twice", f"I_LOOK I_LOOK {R} I_RUN {R} I_RUN"),
    ],
)
def test_actions_of_a_command(command, actions):
    assert COMMANDS[command] == actions


def test_the_number_of_commands_is_that_of_the_paper():
    assert len(COMMANDS) == len(list(generate.commands())) == 20_910
    lengths = [actions.count(" ") + 1 for actions in COMMANDS.values()]
    assert (min(lengths), max(lengths)) == (1, 48)
    assert sum(length > 22 for length in lengths) == 3920
    assert max(command.count(" ") + 1 for command in COMMANDS) == 9


def test_every_command_conforms_to_the_grammar():
    verb = r"(turn( opposite| around)? (left|right)|(walk|look|run|jump)(( opposite| around)? (left|right))?)"
    sentence = rf"{verb}( twice| thrice)?"
    command = re.compile(rf"{sentence}( (and|after) {sentence})?")
    assert all(map(command.fullmatch, COMMANDS))


def test_the_files_are_the_output_of_the_generator():
    files = generate.files()
    assert {path.name for path in (EXAMPLES / "compositional").glob("*.txt.gz")} == files.keys()
    for name, text in files.items():
        assert gzip.decompress((EXAMPLES / "compositional" / name).read_bytes()).decode() == text, name
    assert sum(text.count("\n") for text in files.values()) == len(COMMANDS)


@pytest.fixture(scope="module")
def facts():
    located = load_located(EXAMPLES / "compositional.yaml")
    problems, complaints = check_jobs(located)
    assert not complaints
    assert not located.complaints
    return {name: problem.describe() for name, problem in problems.items()}


def test_the_random_split_has_all_commands(facts):
    pairs = facts["random"]["pairs"]
    assert pairs["read"] == pairs["train"] + pairs["validation"] + pairs["test"] == 20_910
    assert pairs["test"] / pairs["read"] == pytest.approx(0.1, abs=0.01)
    assert facts["random"]["vocabulary"] == {"source": 4 + 13, "target": 4 + 6}


def test_the_length_split_tests_on_the_longest_commands(facts):
    pairs = facts["length"]["pairs"]
    assert pairs["test"] == 3920
    assert pairs["train"] + pairs["validation"] == 20_910 - 3920
    assert facts["length"]["longest"] == {"source": 9, "target": 48}


def test_the_length_split_has_no_long_training_commands():
    located = load_located(EXAMPLES / "compositional.yaml")
    job = next(job for job in located.spec.jobs if job.name == "length")
    problem = build_problem(job.problem, job.seed, EXAMPLES)

    def lengths(targets):
        return (targets == problem.target_vocabulary.end).argmax(axis=1)

    assert lengths(problem.examples("validation", 10**6).target).max() <= 22
    assert lengths(problem.examples("test", 10**6).target).min() >= 24
    count = problem.examples_per_epoch("all")
    batches = (problem.batch(0, i, 1000, count)[1] for i in range(-(-count // 1000)))
    assert max(lengths(target).max() for target in batches) == 22
