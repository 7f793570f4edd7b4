"""A hospital of made-up patients: CT studies, lesions, readers and their mistakes, all decided by a seed.

`python -m datasets.phantom hospital OUT` writes DICOM as a PACS would hold it, `... release OUT` the same patients in
release layout. The truth about every lesion is known, which is what demos, tests and benchmarks build on.
"""

COLLECTION = "phantom"
"""Short name of the collection that it is harvested into: whatever is measured there was not measured on patients."""
