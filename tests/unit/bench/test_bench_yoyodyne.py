import pytest
import yaml

from benchmarks import yoyodyne
from job.spec.spec_loading import load_spec


def test_words_are_split_by_tenths_and_no_word_is_on_two_sides(tmp_path):
    yoyodyne.write_words(tmp_path, 50)
    sides = {name: (tmp_path / f"{name}.tsv").read_text().splitlines() for name in ("train", "dev", "test")}
    assert {name: len(lines) for name, lines in sides.items()} == {"train": 40, "dev": 5, "test": 5}
    words = [line.partition("\t")[0] for lines in sides.values() for line in lines]
    assert len(set(words)) == 50


def test_both_programs_are_given_the_same_sizes_and_epochs(tmp_path):
    (tmp_path / "jobs.yaml").write_text(yaml.safe_dump(yoyodyne.job_spec(3, 7)))
    (job,) = load_spec(tmp_path / "jobs.yaml").jobs
    peer = yoyodyne.peer_configuration(3, 7)
    model = peer["model"]["init_args"]
    encoder = model["source_encoder"]["init_args"]
    stopping = peer["trainer"]["callbacks"][0]["init_args"]
    assert (job.seed, job.training.epochs, job.training.batch_size) == (
        peer["seed_everything"],
        peer["trainer"]["max_epochs"],
        peer["data"]["batch_size"],
    )
    assert job.model.units == model["decoder_hidden_size"] == encoder["hidden_size"]
    assert job.model.embedding_size == model["embedding_size"] == encoder["embedding_size"]
    assert job.model.dropout == model["decoder_dropout"] == encoder["dropout"]
    assert job.training.optimizer.learning_rate == pytest.approx(model["optimizer"]["init_args"]["lr"])
    assert job.training.early_stopping.patience == stopping["patience"]
