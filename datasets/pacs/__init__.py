"""From a PACS to lesions on canonical slices: sources, annotation readers, geometry, pixels, de-identification.

No Django. The way of a study: a `source` lists its instances, `readers` turn annotation objects into bookmarks,
`series` orders the CT slices, `resolve` puts bookmarks on slices, `pixels` encodes slices, `deidentify` picks what
may be kept.
"""

import logging
import warnings

from pydicom import config

# Real archives hold values that break DICOM's own rules. What matters is checked and reported here; the
# libraries' own warnings quote values and paths, and with them patients, so they must not reach a log.
config.settings.reading_validation_mode = config.IGNORE
for name in ("pydicom", "pynetdicom", "dicomweb_client"):
    warnings.filterwarnings("ignore", module=name)
    logging.getLogger(name).setLevel(logging.CRITICAL)
# The addresses of requests hold accession numbers.
logging.getLogger("urllib3").setLevel(logging.WARNING)
