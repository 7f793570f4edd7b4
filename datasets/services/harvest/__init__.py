"""Harvest: from the bookmarks of a PACS to lesions on de-identified slices."""

from datasets.services.harvest.report import Report
from datasets.services.harvest.run import PATIENCE, HarvestStopped, harvest
from datasets.services.harvest.slices import DEFAULT_CONTEXT_MM

__all__ = ["DEFAULT_CONTEXT_MM", "PATIENCE", "HarvestStopped", "Report", "harvest"]
