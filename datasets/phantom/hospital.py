"""The phantom hospital on disk: DICOM files as an archive holds them, and truth.json with what they really show.

truth.json
----------
- `version`, `seed`, `patients` (count), then a list `people` with one entry per patient:
- `index`, `patient_id`, `issuer`, `sex`, `age` (at the first study), `birth_date`.
- `studies`: `number`, `study_instance_uid`, `date`, `accession`, `phase`, `region`, and `series`:
  `series_instance_uid`, `kind` (axial, slab, oblique, coronal), `quirks`, `transfer_syntax`, `kernel`, `slices` (files
  written), `spacing`, `thickness`, `interval` (mm), `columns`, `rows`, and `instances`: SOPInstanceUIDs from head to
  feet (reformats: along the stack), a lost slice left out.
- `other`: images of other modalities: `modality`, `study_instance_uid`, `series_instance_uid`, `sop_instance_uid`.
- `lesions`: `id`, `type` (key of `dl_info.TYPES`), `place`, `bookmarked` (by any reader at any time), and `studies`:
  per study number `centre_mm` (LPS), `long_mm` and `short_mm` of the true outline on its key slice (null where the
  scan does not hold it), `hu`, `bookmarked` (in that study).
- `marks`: one per annotation: `report` (SOPInstanceUID of the SR), `tracking_uid`, `label`, `tool`, `reader`,
  `study_instance_uid`, `series_instance_uid`, `image` (SOPInstanceUID), `modality`, `points` (pixels, 0-based,
  centres at integers; the SR holds them plus 0.5), `lesion` (id or null), `quality` and `expected`: "lesion", or why
  none comes of it: "not_recist", "non_axial", "duplicate" (merged with the good mark), "noise", "not_ct".
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from datasets.phantom import ct, other, people, plan, pool, radiologist, sr
from datasets.phantom.codes import LESION
from datasets.phantom.output import fresh_folder
from datasets.phantom.seeds import uid

VERSION = 1
Progress = Callable[[int, int], None]


def write_hospital(
    out: Path, *, patients: int, seed: int, processes: int = 1, size: int = 512, progress: Progress | None = None
) -> None:
    """Write a hospital below `out`: dicom/{patient}/{study}/... and truth.json.

    Parameters
    ----------
    out : must not exist, or be empty; it appears when all is written.
    patients, seed : decide every byte of pixel data, whatever the number of processes.
    processes : patients are shared out among so many.
    size : matrix of ordinary slices.
    progress : called with patients done and in all.

    Raises
    ------
    OutputExists : `out` holds something already.
    WorkerLost : a process was killed.
    """
    with fresh_folder(out) as folder:
        (folder / "dicom").mkdir()
        entries = []
        jobs = [(str(folder), seed, index, size) for index in range(1, patients + 1)]
        with pool.each(_write_patient, jobs, processes) as results:
            for done, entry in enumerate(results, start=1):
                entries.append(entry)
                if progress is not None:
                    progress(done, patients)
        entries.sort(key=lambda entry: int(entry["index"]))
        truth = {"version": VERSION, "seed": seed, "patients": patients, "people": entries}
        (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")


def _write_patient(job: tuple[str, int, int, int]) -> dict[str, Any]:
    """Write everything of one patient and return its entry of truth.json."""
    root, seed, index, size = job
    patient, anatomy = plan.patient(seed, index, size)
    folder = Path(root) / "dicom" / f"P{index:04d}"
    for study in patient.studies:
        for series in study.series:
            ct.write_series(folder / f"ST{study.number}" / f"SE{series.number}", patient, anatomy, study, series)
    marks = radiologist.read(patient)
    written = [*_reports(folder, patient, marks), *_others(folder, patient)]
    return _entry(patient, marks, written)


def _reports(folder: Path, patient: plan.Patient, marks: list[radiologist.Mark]) -> Iterator[dict[str, Any]]:
    for study in patient.studies:
        for reader in sorted({mark.reader for mark in marks if mark.study == study.number}):
            own = [mark for mark in marks if mark.study == study.number and mark.reader == reader]
            items = [_item(patient, study, mark) for mark in own]
            report = sr.report(
                items, seed=patient.seed, names=(study.number, reader), reader=people.READERS[reader], number=reader
            )
            _save(folder / f"ST{study.number}" / f"SR{reader}.dcm", report)
            for mark, item in zip(own, items, strict=True):
                yield _mark(
                    report, item, reader=reader, lesion=mark.lesion, quality=mark.quality, expected=mark.expected
                )


def _item(patient: plan.Patient, study: plan.Study, mark: radiologist.Mark) -> sr.Item:
    series = study.series[mark.series]
    image = ct.template(patient, study, series)
    image.SOPInstanceUID = series.instance_uids[mark.slice]
    return sr.Item(
        image,
        mark.tool,
        mark.points,
        series.planes[mark.slice].spacing,
        mark.tracking_uid,
        mark.label,
        mark.finding,
        mark.place,
        mark.note,
    )


def _others(folder: Path, patient: plan.Patient) -> Iterator[dict[str, Any]]:
    modality = other.modality_of(patient)
    if modality is None:
        return
    image, points = other.image(patient, modality)
    place = folder / modality
    place.mkdir(parents=True)
    _save(place / "IM00001.dcm", image)
    spacing = float(image.get("PixelSpacing", [0.5])[0])
    item = sr.Item(image, "recist", points, spacing, uid(patient.seed, "tracking", modality), "B01", LESION, None, "")
    report = sr.report([item], seed=patient.seed, names=(modality,), reader=people.READERS[0], number=0)
    _save(place / "SR0.dcm", report)
    yield _mark(report, item, reader=0, lesion=None, quality="good", expected="not_ct")


def _save(path: Path, data: Dataset) -> None:
    data.file_meta = ct.meta(data, ExplicitVRLittleEndian)
    ct.save(path, data)


def _mark(
    report: Dataset, item: sr.Item, *, reader: int, lesion: int | None, quality: str, expected: str
) -> dict[str, Any]:
    return {
        "report": str(report.SOPInstanceUID),
        "tracking_uid": item.tracking_uid,
        "label": item.label,
        "tool": item.tool,
        "reader": people.READERS[reader],
        "study_instance_uid": str(item.image.StudyInstanceUID),
        "series_instance_uid": str(item.image.SeriesInstanceUID),
        "image": str(item.image.SOPInstanceUID),
        "modality": str(item.image.Modality),
        "points": [[round(float(value), 5) for value in point] for point in item.points],
        "lesion": lesion,
        "quality": quality,
        "expected": expected,
    }


def _entry(patient: plan.Patient, marks: list[radiologist.Mark], written: list[dict[str, Any]]) -> dict[str, Any]:
    person = patient.person
    return {
        "index": patient.index,
        "patient_id": person.patient_id,
        "issuer": people.ISSUER,
        "sex": person.sex,
        "age": patient.build.age,
        "birth_date": person.birth.isoformat(),
        "studies": [_study_entry(study) for study in patient.studies],
        "lesions": [_lesion_entry(patient, number, marks) for number in range(len(patient.studies[0].lesions))],
        "marks": written,
    }


def _study_entry(study: plan.Study) -> dict[str, Any]:
    return {
        "number": study.number,
        "study_instance_uid": study.uid,
        "date": study.day.isoformat(),
        "accession": study.accession,
        "phase": study.phase,
        "region": study.region,
        "series": [
            {
                "series_instance_uid": series.uid,
                "kind": series.kind,
                "quirks": list(series.quirks),
                "transfer_syntax": series.syntax,
                "kernel": series.kernel.name,
                "slices": len(series.planes) - len(series.missing),
                "spacing": series.planes[0].spacing,
                "thickness": series.planes[0].thickness,
                "interval": series.interval,
                "columns": series.planes[0].columns,
                "rows": series.planes[0].rows,
                "instances": [uid_ for step, uid_ in enumerate(series.instance_uids) if step not in series.missing],
            }
            for series in study.series
        ],
    }


def _lesion_entry(patient: plan.Patient, position: int, marks: list[radiologist.Mark]) -> dict[str, Any]:
    first = patient.studies[0].lesions[position]
    seen = {mark.study for mark in marks if mark.lesion == first.id and mark.tool == "recist"}
    states = []
    for study in patient.studies:
        lesion = study.lesions[position]
        at = radiologist.key_slice(lesion, study.series[0])
        size = None if at is None else radiologist.true_size(lesion, study.series[0].planes[at])
        states.append(
            {
                "study": study.number,
                "centre_mm": [round(value, 3) for value in lesion.centre],
                "long_mm": None if size is None else round(size[0], 3),
                "short_mm": None if size is None else round(size[1], 3),
                "hu": round(lesion.hu, 1),
                "bookmarked": study.number in seen,
            }
        )
    return {"id": first.id, "type": first.type, "place": first.place, "bookmarked": bool(seen), "studies": states}
