"""The training loop: no labels, only the order of slices and the distances between them."""

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from detection import torch_file
from detection.bodypart import finish, record
from detection.bodypart.errors import NoSuchDevice, RunExists, TooFewSeries
from detection.bodypart.familiar import NOISIEST
from detection.bodypart.losses import distance_loss, order_loss
from detection.bodypart.model import Model, load_model, save_atomically, save_model
from detection.bodypart.network import Regressor
from detection.bodypart.sampling import draw
from detection.bodypart.settings import FEWEST_SERIES, Preset
from detection.bodypart.slices import GAIN, OFFSET, TEST, VAL, Pictures, Volume, identity_of, volumes
from detection.training.settings import replace

Progress = Callable[[int, int, str, str], None]
"""Called with what is done, what there is in all, what is counted, and what more there is to say."""

MODEL, CHECKPOINT = "model.pt", "checkpoint.pt"
SHORTEST_MM = 20.0
EVERY = 50
"""Steps between two checkpoints."""
ZOOM, STRETCH, SHIFT = 0.05, 0.03, 0.06
"""How much pictures are changed at random, per series: no field of view is to be learned by heart."""
BRIGHTNESS = 0.1
VALIDATION_SHARE = 0.1


@dataclass
class Run:
    """What a training works on."""

    release: str
    """Its hash."""
    preset: Preset
    seed: int
    train: list[Volume]
    val: list[Volume]
    pictures: Pictures
    device: str


def train(
    release: Path,
    out: Path,
    *,
    preset: Preset,
    seed: int = 0,
    device: str = "auto",
    seconds: float | None = None,
    threads: int = 2,
    progress: Progress | None = None,
) -> Model:
    """Train a regressor and write `model.pt`, `model.json`, `metrics.jsonl` and `checkpoint.pt` into `out`.

    A run that was broken off goes on from its newest checkpoint and ends as it would have ended; one that had ended
    gives the model that it made.

    Parameters
    ----------
    release : a release folder; its test patients are left alone.
    seed : decides everything on a processor with the same number of threads.
    device : cpu or cuda; auto takes the GPU where there is one.
    seconds : stop learning after so long; the learning rate follows the steps, so it is better to lower those.
    threads : for decoding.
    progress : called with slices read, then steps done, then series scored, and each in all.

    Raises
    ------
    NotARelease, UnreadableSlice, TooFewSeries, RunExists, NoSuchDevice
    """
    device = _device(device)
    known = identity_of(release)
    learn, check = _divided(volumes(release), preset, seed)
    out.mkdir(parents=True, exist_ok=True)
    pictures = Pictures([*learn, *check], preset.size, threads, out)
    run = Run(known.sha256, preset, seed, learn, check, pictures, device)
    try:
        torch.manual_seed(seed)
        network = Regressor(preset.channels, preset.depth).to(device)
        begin = time.monotonic()
        steps, before = _learn(run, network, out, seconds, progress)
        if before == preset.steps and (out / record.FACTS).is_file():
            return load_model(out / MODEL, device)
        facts = {
            "release": known.name,
            "release_sha256": known.sha256,
            "preset": preset.name,
            "seed": seed,
            "device": torch.cuda.get_device_name() if device == "cuda" else "CPU",
            "steps": steps,
            "series": len(learn),
            "patients": len({volume.patient for volume in learn}),
            "validation_series": len(check),
            "seconds": round(time.monotonic() - begin, 1),
        }
        model = finish.finish(network, preset, learn, check, pictures, facts, device, progress)
    finally:
        pictures.close()
    save_model(model, out / MODEL)
    # Last: where it is, the model is there and whole.
    record.write(out, model.facts)
    return model


def _device(wanted: str) -> str:
    there = torch.cuda.is_available()
    if wanted == "cuda" and not there:
        raise NoSuchDevice("there is no CUDA device here; train on the processor instead, with cpu")
    return ("cuda" if there else "cpu") if wanted == "auto" else wanted


def _divided(series: list[Volume], preset: Preset, seed: int) -> tuple[list[Volume], list[Volume]]:
    """Choose series to learn from and series of other patients to check with; test patients take no part."""
    usable = [
        each
        for each in series
        if each.split != TEST and len(each.numbers) >= preset.slices and np.ptp(each.millimetres()) >= SHORTEST_MM
    ]
    if len(usable) < FEWEST_SERIES:
        raise TooFewSeries(
            f"the release has {len(usable)} series of {preset.slices} or more slices outside its test split; "
            f"at least {FEWEST_SERIES} are needed"
        )
    if not any(each.interval for each in usable):
        raise TooFewSeries(
            "none of the release's series says its slice interval, so that nothing tells how long a body is; "
            "choose a release that does"
        )
    random = np.random.default_rng([seed, 1])
    patients = sorted({each.patient for each in usable})
    held = {each.patient for each in usable if each.split == VAL}
    if not held or len(held) == len(patients):
        count = max(1, round(len(patients) * VALIDATION_SHARE))
        held = set(random.permutation(patients)[:count].tolist())
    learn = [each for each in usable if each.patient not in held]
    check = [each for each in usable if each.patient in held]
    if not learn:
        raise TooFewSeries("all series are of one patient; at least two patients are needed")
    if preset.series:
        learn = _some(learn, preset.series, random)
        check = _some(check, max(4, preset.series // 6), random)
    return learn, check


def _some(series: list[Volume], count: int, random: np.random.Generator) -> list[Volume]:
    chosen = sorted(random.permutation(len(series))[:count].tolist())
    return [series[index] for index in chosen]


def _learn(
    run: Run, network: Regressor, out: Path, seconds: float | None, progress: Progress | None
) -> tuple[int, int]:
    """Optimise; returns the steps done in all, and those that earlier tries had done."""
    preset = run.preset
    optimizer = torch.optim.AdamW(network.parameters(), lr=preset.rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, preset.rate, total_steps=preset.steps)
    identity = _identity(run)
    start, lines = _resume(out, identity, network, optimizer, schedule)
    positions = [volume.millimetres() for volume in run.train]
    if (preset.steps - start) * preset.volumes * preset.slices >= len(run.pictures):
        # Nearly all will be asked for: read beforehand, they do not make the first steps slower than the rest.
        run.pictures.read(lambda read, total: progress(read, total, "slices read", "") if progress else None)
    begin = time.monotonic()
    network.train()
    done = start
    for step in range(start, preset.steps):
        random = np.random.default_rng([run.seed, 2, step])
        pictures, gaps, measured = _batch(run, positions, random)
        scores = network(_changed(pictures, preset.slices, random)).view(-1, preset.slices)
        order, distance = order_loss(scores), distance_loss(scores, gaps, measured)
        optimizer.zero_grad(set_to_none=True)
        (order + distance).backward()
        optimizer.step()
        schedule.step()
        done = step + 1
        ended = done == preset.steps or (seconds is not None and time.monotonic() - begin > seconds)
        if done % 10 == 0 or ended:
            lines.append({"step": done, "order_loss": order.item(), "distance_loss": distance.item()})
            if progress is not None:
                losses = f"order loss {order.item():.4f}, distance loss {distance.item():.4f}"
                progress(done, preset.steps, "steps", losses)
        if done % EVERY == 0 or ended:
            state = (network.state_dict(), optimizer.state_dict(), schedule.state_dict())
            content = {"identity": identity, "step": done, "lines": lines, "state": state}
            save_atomically(content, out / CHECKPOINT)
            replace(out / record.METRICS, "".join(json.dumps(line) + "\n" for line in lines))
        if ended:
            break
    return done, start


def _batch(
    run: Run, positions: list[NDArray[np.float64]], random: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Pictures (greys of WIDE), distances between neighbours, and of which series these are in mm."""
    count = run.preset.volumes
    # Long series tie regions together; short ones, all of them noise between neighbours, would bend the score.
    lengths = np.array([np.ptp(mm) for mm in positions])
    chosen = random.choice(len(run.train), count, p=lengths / lengths.sum())
    samples = [(int(index), draw(positions[index], run.preset.slices, random)) for index in chosen]
    greys = run.pictures.get([(index, int(at)) for index, sample in samples for at in sample.at])
    gaps = torch.from_numpy(np.stack([sample.gaps for _, sample in samples]))
    measured = torch.tensor([run.train[index].interval is not None for index, _ in samples])
    return torch.from_numpy(greys).to(run.device).float(), gaps.to(run.device), measured.to(run.device)


def _changed(pictures: Tensor, slices: int, random: np.random.Generator) -> Tensor:
    """Zoom, stretch, shift and make noisy the slices of a series alike, and brighten each by itself.

    Parameters
    ----------
    pictures : (N, rows, columns), greys of WIDE.

    Returns
    -------
    What the network sees, (N, rows, columns): greys of WINDOW.
    """
    series, (rows, columns) = len(pictures) // slices, pictures.shape[1:]
    zoom = 1 + random.uniform(-ZOOM, ZOOM, series)
    theta = np.zeros((series, 2, 3), dtype=np.float32)
    theta[:, 0, 0] = zoom * (1 + random.uniform(-STRETCH, STRETCH, series))
    theta[:, 1, 1] = zoom
    theta[:, :, 2] = random.uniform(-SHIFT, SHIFT, (series, 2))
    shape = (series, slices, rows, columns)
    grid = functional.affine_grid(torch.from_numpy(theta).to(pictures.device), list(shape), align_corners=False)
    moved = functional.grid_sample(pictures.view(shape), grid, align_corners=False)
    light = 1 + random.uniform(-BRIGHTNESS, BRIGHTNESS, (len(pictures), 1, 1)).astype(np.float32)
    # Squared: most scans are hardly noisy.
    levels = NOISIEST * np.repeat(random.uniform(0, 1, series) ** 2, slices)[:, None, None]
    noise = levels.astype(np.float32) * random.standard_normal((len(pictures), rows, columns), dtype=np.float32)
    greys = moved.view(-1, rows, columns) * GAIN + OFFSET + torch.from_numpy(noise).to(pictures.device)
    return greys.clamp(0, 255) * torch.from_numpy(light).to(pictures.device)


def _identity(run: Run) -> str:
    names = [volume.name for volume in (*run.train, *run.val)]
    series = hashlib.sha256(repr(names).encode()).hexdigest()
    return json.dumps([dataclasses.asdict(run.preset), run.seed, run.release, series])


def _resume(
    out: Path,
    identity: str,
    network: Regressor,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> tuple[int, list[dict[str, Any]]]:
    path = out / CHECKPOINT
    if not path.is_file():
        return 0, []
    try:
        stored = torch_file.read(path)
        if stored["identity"] != identity:
            raise RunExists(f"{out.name} holds a run of other settings or another release; choose another folder")
        weights, optimizer_state, schedule_state = stored["state"]
        network.load_state_dict(weights)
        optimizer.load_state_dict(optimizer_state)
        schedule.load_state_dict(schedule_state)
        return stored["step"], stored["lines"]
    except (torch_file.NotReadable, RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunExists(
            f"{out.name}/{path.name} is damaged or no checkpoint of this training; remove it, or choose another folder"
        ) from error
