"""The command lines of the programs that train and evaluate, by how many GPUs there are."""

import pytest

from detection.models import Evaluation, TrainingRun
from workers import evaluating, training


def test_several_gpus_train_through_torchrun_with_a_batch_that_divides(tmp_path):
    run = TrainingRun(pk=3, preset="paper", seed=1, fraction=0.5, start_weights="imagenet", options={"flip": True})
    program = training.command(run, tmp_path / "r", tmp_path / "run", gpus=4)
    assert program[:5] == ["torch.distributed.run", "--standalone", "--nproc-per-node", "4", "-m"]
    assert program[-7:] == ["--seed", "1", "--fraction", "0.5", "--weights", "imagenet", "--flip"]
    (tmp_path / "run").mkdir()
    (tmp_path / "run/checkpoint.pt").touch()
    assert training.command(run, tmp_path / "r", tmp_path / "run", gpus=1)[-1] == "--resume"
    assert [training.gpus_for(8, count) for count in (0, 1, 3, 4, 6, 16)] == [1, 1, 2, 4, 4, 8]


@pytest.mark.parametrize(("gpus", "batch"), [(0, ["--batch", "1"]), (2, [])])
def test_a_processor_looks_at_one_image_at_a_time(gpus, batch, tmp_path):
    evaluation = Evaluation(pk=5, run=TrainingRun(pk=3), split="test", checkpoint="best")
    program = evaluating.detecting(evaluation, tmp_path, tmp_path, gpus=gpus)
    assert program[program.index("--bootstrap") + 2 :] == batch
