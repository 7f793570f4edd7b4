"""The GPU benchmark goes its whole way on a CPU, and needs torch, numpy and Pillow alone."""

import json
import os
import subprocess
import sys

from benchmarks import gpu, tiny
from detection.data.release import open_release
from tests.detection.training.running import SMALL

ABSENT = ("django", "celery", "lightning_fabric", "tensorboard", "pydicom", "highdicom", "torchvision", "plotly")


def test_the_gpu_benchmark_runs_reduced_in_stages_without_the_other_packages(tmp_path):
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({ABSENT!r}))\n"
        "from benchmarks import gpu\n"
        f"for stages in (['speed'], ['context'], []): gpu.main([*stages, '--reduced', '--work', {str(tmp_path)!r}])"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert (lines[0]["device"], lines[0]["torchvision"]) == ("CPU", None)
    speeds = [(line["network"], line["what"], line["batch"]) for line in lines if "batch" in line]
    measured = (("inference", 1), ("inference", 2), ("training", 2))
    assert speeds == [(name, *each) for name in ("tiny", "tiny-context") for each in measured], (
        "and none of them twice"
    )
    assert all(line["ms_per_image"] > 0 for line in lines if "batch" in line)
    trained = [(line["network"], line["share"]) for line in lines if "steps" in line]
    assert trained == [("tiny-context", 1.0), ("tiny", 1.0), ("tiny", 0.1), ("tiny", 0.25), ("tiny", 0.5)]
    assert all(line["steps"] > 0 and "4" in line["sensitivity"] for line in lines if "steps" in line)
    assert [line["skipped"] for line in lines if "skipped" in line] == ["torchvision does not load here"]
    assert done.stdout == (tmp_path / "results.jsonl").read_text()


def test_results_of_one_release_are_not_those_of_another_and_a_peak_is_that_of_the_very_card(discs, tmp_path):
    results = gpu.Results(tmp_path / "results.jsonl")
    release = open_release(discs)
    line = {"network": "tiny", "what": "froc", "share": 1.0, "minutes": 1.0, **gpu._of(release)}
    results.add(line)
    assert line["patients"] == 10
    for lines in (results, gpu.Results(tmp_path / "results.jsonl")):
        assert lines.has(line)
        assert not lines.has(line | {"patients": 600})
        assert not lines.has(line | {"release": "another"})
    assert gpu.PEAK["NVIDIA H100 PCIe"] < gpu.PEAK["NVIDIA H100 80GB HBM3"]
    assert "NVIDIA L40" not in gpu.PEAK, "which is no L4"


def test_the_seeds_of_the_tiny_preset_are_kept_with_date_and_machine(discs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tiny, "TINY", SMALL)
    monkeypatch.setattr(tiny, "CORES", 1)
    out = tmp_path / "results/tiny.json"
    tiny.main(["--release", str(discs), "--seeds", "2", "--out", str(out)])
    content = json.loads(out.read_text())
    assert [line["seed"] for line in content["seeds"]] == [0, 1]
    assert {"date", "processor", "cores", "torch", "load_average_before"} < content["machine"].keys()
    assert content["release"]["patients"] == {"train": 7, "val": 1, "test": 2}
    for line in content["seeds"]:
        low, apart, high = (line[f"less that in float32, {name}"] for name in ("low", "difference", "high"))
        assert -1 <= low <= apart <= high <= 1
    found = [line["sensitivity at 4"] for line in content["seeds"]]
    assert content["all"]["sensitivity at 4"]["mean"] == round(sum(found) / 2, 4)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [*content["seeds"], content["all"]]


def test_the_detector_imports_neither_django_nor_the_dataset():
    code = (
        "import sys, detection.train, detection.evaluate, detection.evaluation.froc, detection.evaluation.volumes\n"
        "sys.exit(any(name.split('.')[0] in {'django', 'datasets', 'torchvision'} for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
