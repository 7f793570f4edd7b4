"""Command line: `python -m detection.train RELEASE --preset paper --out RUN`, or torchrun with the same module."""

import dataclasses
import shutil
import sys
from pathlib import Path

import torch

from detection import refusal
from detection.data.dataset import Slices
from detection.data.release import Release, open_release
from detection.disk import writing
from detection.errors import INTERRUPTED, BadRun, DetectorError, EmptySplit
from detection.inference import is_fast_in_bfloat16, pick_device
from detection.network import weights as pretrained
from detection.network.detector import Detector
from detection.presets import Preset
from detection.progress import Pace
from detection.training import checkpoint, command
from detection.training import settings as run
from detection.training.journal import Progress
from detection.training.loop import Machine, check_batch, is_first_process, processes, train
from detection.training.optimizer import make_optimizer, total_steps
from detection.training.settings import EXACT, Settings
from detection.training.validation import RATE, SENSITIVITY, some


def main(arguments: list[str] | None = None) -> int:
    """Train; returns the exit status."""
    options = command.parser().parse_args(arguments)
    machine = Machine(options.accelerator, options.devices, options.workers, options.minutes * 60)
    several = processes(machine) > 1
    try:
        if several and is_first_process():
            with writing(options.out):
                refusal.forget(options.out)
        if options.resume:
            command.check_resumed(options, run.read(options.out))
            resume(options.release, options.out, machine, cache=options.cache, progress=Teller())
        else:
            start(
                options.release, options.out, command.preset(options), machine,
                weights=options.weights or command.WEIGHTS, seed=options.seed or 0, fraction=options.fraction or 1.0,
                precision=options.precision or command.AUTO, cache=options.cache, progress=Teller(),
            )  # fmt: skip
    except DetectorError as error:
        if several:
            refusal.tell(options.out, error)
        else:
            sys.stderr.write(f"{error}.\n")
        return 1
    except RuntimeError:
        # What processes do together breaks off where one of them gives up, and that one has said why.
        if several and refusal.read(options.out):
            return 1
        raise
    except KeyboardInterrupt:
        kept = (options.out / checkpoint.FILE).is_file()
        sys.stderr.write(
            f"Stopped; {'--resume goes on from the newest checkpoint' if kept else 'nothing was kept'}.\n"
        )
        return INTERRUPTED
    return 0


def start(
    folder: Path,
    out: Path,
    preset: Preset,
    machine: Machine,
    *,
    weights: str = "imagenet",
    seed: int = 0,
    fraction: float = 1.0,
    precision: str = "auto",
    cache: Path | None = None,
    progress: Progress | None = None,
) -> int:
    """Train a preset on the training split of a release, into a new run folder; returns the steps done.

    Parameters
    ----------
    folder : the release; out : the run.
    weights : `imagenet`, `random`, or the path of a checkpoint with torchvision's names. Where ImageNet's cannot be
        had, training starts from random weights, says so and records it.
    fraction : share of the training patients.
    precision : `32-true`, `bf16-mixed`, or `auto`: the latter where the device is fast in it. Recorded.
    cache : folder of decoded slices; unless given OUT/cache, which goes when the training is over.

    Raises
    ------
    DetectorError : any of its kinds.
    """
    release = open_release(folder)
    device = _checked(machine, preset)
    if precision == command.AUTO:
        precision = "bf16-mixed" if is_fast_in_bfloat16(device) else EXACT
    if is_first_process() and (out / checkpoint.FILE).exists() and (out / run.FILE).exists():
        raise BadRun(f"{out} holds a run already; go on with --resume or name another folder")
    command.check_batch(preset, len(release.samples("train", fraction=fraction, seed=seed)))
    settings = Settings(
        preset=preset, release=release.name, release_sha256=release.sha256, seed=seed, fraction=fraction,
        precision=precision,
    )  # fmt: skip
    torch.manual_seed(seed)
    network = Detector(preset)
    settings = dataclasses.replace(settings, weights=_weights(network, weights))
    _freeze(network, settings)
    # After the weights, which may be refused: the cache takes its whole place on the disk at once.
    data = _data(release, settings, cache or out / "cache")
    if is_first_process():
        # What it starts from goes first: a run that is there can be resumed, however early it is cut off.
        with writing(out):
            out.mkdir(parents=True, exist_ok=True)
            optimizer = make_optimizer(network, preset.training)
            checkpoint.Keeper(out, preset, network, optimizer, steps=_planned(settings, data)).keep(0, {})
        run.write(out, settings)
    validation = _validation(release, settings, cache, out)
    steps = train(out, settings, network, data, machine, progress=progress, validation=validation)
    _finish(out, settings, data, machine, steps)
    return steps


def resume(
    folder: Path, out: Path, machine: Machine, *, cache: Path | None = None, progress: Progress | None = None
) -> int:
    """Go on with a run from its checkpoint, as it was started; returns the steps done in all.

    Raises
    ------
    DetectorError : any of its kinds; BadRun where the release is not the run's.
    """
    release = open_release(folder)
    settings = run.read(out)
    if settings.release_sha256 != release.sha256:
        raise BadRun(f"{out} was trained on {settings.release}, not on this {release.name}")
    _checked(machine, settings.preset)
    data = _data(release, settings, cache or out / "cache")
    network = Detector(settings.preset)
    _freeze(network, settings)
    validation = _validation(release, settings, cache, out)
    steps = train(out, settings, network, data, machine, resume=True, progress=progress, validation=validation)
    _finish(out, settings, data, machine, steps)
    return steps


def _checked(machine: Machine, preset: Preset) -> torch.device:
    """The device, before anything is written."""
    check_batch(preset.training.batch, processes(machine))
    return pick_device(machine.accelerator, machine.devices)


def _planned(settings: Settings, data: Slices) -> int:
    config = settings.preset.training
    return total_steps(config, -(-len(data) // config.batch))


def _finish(out: Path, settings: Settings, data: Slices, machine: Machine, steps: int) -> None:
    """Say it where the time was up; at the run's end remove its own slice cache.

    Nobody reads that again, and it takes half a megabyte per slice.
    """
    planned = _planned(settings, data)
    if not is_first_process():
        return
    if steps < planned:
        sys.stderr.write(
            f"Stopped at step {steps} of {planned}, as its {machine.seconds / 60:g} minutes are over; "
            "--resume goes on from there.\n"
        )
    else:
        shutil.rmtree(out / "cache", ignore_errors=True)


def _freeze(network: Detector, settings: Settings) -> None:
    if settings.weights != "random":
        network.freeze_early()


def _data(release: Release, settings: Settings, cache: Path) -> Slices:
    preset = settings.preset
    samples = release.samples("train", fraction=settings.fraction, seed=settings.seed)
    return Slices(release, samples, preset.input, cache=cache, augmentation=preset.augmentation, seed=settings.seed)


def _validation(release: Release, settings: Settings, cache: Path | None, out: Path) -> Slices | None:
    """Some of the validation split, for the process that looks; a release without one trains all the same."""
    if not is_first_process():
        return None
    try:
        samples = release.samples("val")
    except EmptySplit:
        sys.stderr.write(f"Nothing is validated: {release.name} has no lesion in the val split.\n")
        return None
    return Slices(release, some(samples, settings.seed), settings.preset.input, cache=cache or out / "cache")


def _weights(network: Detector, source: str) -> str:
    """Load what the backbone starts from and name it."""
    if source == "random":
        sys.stderr.write("The backbone starts from random weights, as asked.\n")
        return "random"
    if source != "imagenet":
        pretrained.from_file(network.backbone, Path(source))
        return Path(source).name
    try:
        return pretrained.from_imagenet(network.backbone, network.preset.network.backbone)
    except pretrained.NoWeights as error:
        sys.stderr.write(f"The backbone starts from random weights: {error}.\n")
        return "random"


class Teller:
    """Writes lines on stderr: how far it is, how it goes and how long it still takes."""

    def __init__(self) -> None:
        self._pace = Pace()
        self._found: float | None = None

    def __call__(self, done: int, total: int, left: float, values: dict[str, float]) -> None:
        """See `journal.Progress`; what was just validated is told without delay."""
        found = values.get(SENSITIVITY)
        news, self._found = found != self._found, found
        if not self._pace.is_due(last=done == total or news):
            return
        said = [f"loss {values['loss']:.3f}"] if values else []
        said += [f"sensitivity {found:.3f} at {RATE:g} false positives in validation"] if found is not None else []
        said.append(f"{left / 60:.1f} min left" if done < total else "trained")
        sys.stderr.write(f"step {done}/{total}, {', '.join(said)}\n")


if __name__ == "__main__":
    sys.exit(main())
